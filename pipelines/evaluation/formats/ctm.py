"""CTM: a word a line, with its call, channel and times. Of several channels, each is a speaker."""

from dataclasses import replace
from pathlib import Path

from pipelines.evaluation.document import Document, Segment, from_segments
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_EXPECTED = '"call channel start duration word", times in seconds, a confidence may follow'


def read_ctm(path: Path) -> list[Document]:
    """The calls of a file. Raises UsageError."""
    return [
        from_segments(call, str(path), _speakers(words))
        for call, words in by_call(path, parsed_lines(path, _EXPECTED, _parse))
    ]


def _parse(line: str) -> tuple[str, Segment]:
    call, channel, start, duration, word, *_ = line.split()
    return call, Segment(word, channel, float(start), float(start) + float(duration))


def _speakers(words: list[Segment]) -> list[Segment]:
    """One channel has all speakers in it, so who says a word is unknown."""
    several = len({word.speaker for word in words}) > 1
    return words if several else [replace(word, speaker=None) for word in words]
