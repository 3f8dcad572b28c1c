"""STM: a segment a line, with its call, channel, speaker, times and words."""

from pathlib import Path

from pipelines.evaluation.document import Document, Segment, from_segments
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_EXPECTED = '"call channel speaker start end words", times in seconds'


def read_stm(path: Path) -> list[Document]:
    """The calls of a file. The optional label `<…>` before the words is no word. Raises UsageError."""
    lines = list(parsed_lines(path, _EXPECTED, _parse))
    return [from_segments(call, str(path), segments) for call, segments in by_call(path, lines)]


def _parse(line: str) -> tuple[str, Segment]:
    call, _, speaker, start, end, *words = line.split(maxsplit=5)
    return call, Segment("".join(words), speaker, float(start), float(end))
