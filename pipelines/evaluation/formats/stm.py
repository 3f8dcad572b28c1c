"""STM: a segment a line, with its call, channel, speaker, times and words."""

import re
from dataclasses import replace
from pathlib import Path

from pipelines.evaluation.document import Document, Segment, Span, from_segments
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_IGNORE = re.compile(r"(<[^>]*>\s*)?ignore_time_segment_in_scoring\s*", re.IGNORECASE)
"""What NIST's sclite takes for the words of a segment that is not to be scored."""
_EXPECTED = '"call channel speaker start end words", times in seconds'


def read_stm(path: Path) -> list[Document]:
    """The calls of a file. The optional label `<…>` before the words is no word. Raises UsageError."""

    def document(call: str, segments: list[Segment]) -> Document:
        ignored = [segment for segment in segments if _IGNORE.fullmatch(segment.text)]
        said = [segment for segment in segments if segment not in ignored]
        return replace(
            from_segments(call, str(path), said),
            ignored=tuple(Span(one.start or 0.0, one.end or 0.0) for one in ignored),
        )

    return by_call(path, parsed_lines(path, _EXPECTED, _parse), document)


def _parse(line: str) -> tuple[str, Segment]:
    call, _, speaker, start, end, *words = line.split(maxsplit=5)
    return call, Segment("".join(words), speaker, float(start), float(end))
