"""Keeps libraries that only the training of models needs out of a process that only uses models."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

_SPARED = ("transformers", "torchvision")
"""What torchmetrics imports for metrics of text and images: a fifth of what a worker's imports take."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """While the context is open, what is imported finds torchmetrics' two largest companions not installed.

    pyannote.audio imports torchmetrics, which it needs for training, and torchmetrics imports whatever one of
    its metrics could use as soon as that is installed. Who imports the companions themselves gets them.
    """
    from lightning_utilities.core.imports import RequirementCache

    installed = RequirementCache.__bool__

    def spared(requirement: RequirementCache) -> bool:
        return not str(requirement.requirement).startswith(_SPARED) and installed(requirement)

    with patch.object(RequirementCache, "__bool__", spared):
        yield
