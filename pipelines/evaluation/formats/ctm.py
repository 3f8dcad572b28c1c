"""CTM: a word a line, with its call, channel and times. Of several channels, each is a speaker."""

from dataclasses import replace
from pathlib import Path

from pipelines.evaluation.document import Document, Segment, from_segments
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_EXPECTED = '"call channel start duration word", times in seconds, a confidence may follow'


def read_ctm(path: Path) -> list[Document]:
    """The calls of a file. One channel has all speakers in it, so who says a word is unknown.

    Raises UsageError.
    """
    lines = list(parsed_lines(path, _EXPECTED, _parse))
    # A call in which one of two channels is silent has speakers like the others of its file.
    several = len({word.speaker for _, word in lines}) > 1
    if not several:
        lines = [(call, replace(word, speaker=None)) for call, word in lines]
    return by_call(path, lines, lambda call, words: from_segments(call, str(path), words, are_words=True))


def _parse(line: str) -> tuple[str, Segment]:
    call, channel, start, duration, word, *_ = line.split()
    return call, Segment(word, channel, float(start), float(start) + float(duration))
