"""How figures and tables are written, for a terminal and as Markdown."""

from collections.abc import Sequence

from pipelines.evaluation.evaluation import Difference, Estimate

Rows = Sequence[Sequence[str]]
Section = tuple[str, Rows]
"""A title and a table, whose first row is its head."""

_SCALE = {"%": 100.0, "s": 1.0, "/min": 1.0}


def text_section(section: Section) -> str:
    """The title over columns of one width."""
    title, rows = section
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([title, *lines] if title else lines)


def markdown_section(section: Section) -> str:
    """The title as a heading and the table; `None.` where it has only its head."""
    title, (head, *rows) = section
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else "None."
    return f"## {title}\n\n{table}" if title else table


def value_text(value: float, unit: str, sign: str = "") -> str:
    """A figure with its unit; `sign` is `+` for a difference."""
    decimals = 3 if unit == "s" else 1
    return f"{value * _SCALE[unit]:{sign}.{decimals}f} {unit}"


def interval_text(of: Estimate | Difference) -> str:
    """The bootstrap interval, in the unit of the figure; empty where there is none."""
    if of.low is None or of.high is None:
        return ""
    scale, decimals = _SCALE[of.figure.unit], 3 if of.figure.unit == "s" else 1
    return f"{of.low * scale:.{decimals}f} to {of.high * scale:.{decimals}f}"
