"""The README's generated part: the reference of the tables. Run it to write it anew."""

from pathlib import Path

from pipelines.tables import reference_markdown

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- tables: begin, written by `make readme` -->", "<!-- tables: end -->"


def with_reference(text: str) -> str:
    """The README's text with the reference as the code has it now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{reference_markdown().strip()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_reference(README.read_text(encoding="utf-8")), encoding="utf-8")
