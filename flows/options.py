"""What several commands' options mean."""

from models.errors import UsageError


def replacements_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Role to model, from the values of `--model`. Raises UsageError where one is not ROLE=MODEL."""
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f'--model takes ROLE=MODEL, such as recogniser=./my-model, and not "{pair}".')
    return dict(pair.split("=", 1) for pair in pairs)
