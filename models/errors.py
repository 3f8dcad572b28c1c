"""The root of every error that a user may see, and the errors of the models.

`str(error)` is always one sentence or two for the user; what to do next is part of it.
"""


class CallfolioError(Exception):
    """Something went wrong and the message says what, in words meant for the user."""


class UsageError(CallfolioError):
    """What was asked for cannot be started: an unknown name, a bad file, a wrong option."""


class ModelError(CallfolioError):
    """A model cannot be used."""


class ModelMissing(ModelError):
    """A model, or a file of one, is not on this machine."""


class ModelDamaged(ModelError):
    """A file of a model is not the one that the catalogue describes."""


class ModelUnavailable(ModelError):
    """No source of a model could provide it."""
