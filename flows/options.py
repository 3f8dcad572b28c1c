"""What several commands' options mean."""

import re
from pathlib import Path
from typing import Any

import click

from models.errors import UsageError

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("store"),
    show_default=True,
    envvar="CALLFOLIO_STORE",
    help="Folder of the tables.",
)


def replacements_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Role to model, from the values of `--model`. Raises UsageError where one is not ROLE=MODEL."""
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f'--model takes ROLE=MODEL, such as recogniser=./my-model, and not "{pair}".')
    return dict(pair.split("=", 1) for pair in pairs)


class Duration(click.ParamType[float]):
    """A length of time such as 60s, 5m or 2h, as seconds; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        if not (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())):
            self.fail(f'"{value}" is no length of time. Expected one such as 60s, 5m or 2h.', param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
