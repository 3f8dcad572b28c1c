"""RTTM and UEM: who speaks when, and where that is to be scored."""

from pathlib import Path

from pipelines.evaluation.document import Document, Segment, Span, check_times, spans
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_RTTM = '"SPEAKER call channel start duration <NA> <NA> speaker <NA> <NA>", times in seconds'
_UEM = '"call channel start end", times in seconds'
_OTHER_TYPES = ("SPKR-INFO", "LEXEME", "NON-LEX", "NON-SPEECH", "SEGMENT", "NOSCORE", "NO_RT_METADATA", "SU")


def read_rttm(path: Path) -> list[Document]:
    """The calls of an RTTM file; lines of other types than SPEAKER are passed over. Raises UsageError."""
    return [
        Document(call, str(path), speech=spans(segments))
        for call, segments in by_call(path, parsed_lines(path, _RTTM, _parse_rttm))
    ]


def read_uem(path: Path) -> list[Document]:
    """The calls of a UEM file. Raises UsageError."""
    return [
        Document(call, str(path), scored=tuple(scored))
        for call, scored in by_call(path, parsed_lines(path, _UEM, _parse_uem))
    ]


def _parse_rttm(line: str) -> tuple[str, Segment] | None:
    kind, *fields = line.split()
    if kind in _OTHER_TYPES:
        return None
    if kind != "SPEAKER":
        raise ValueError(kind)
    call, _, start, duration, _, _, speaker, *_ = fields
    return call, Segment("", speaker, float(start), float(start) + float(duration))


def _parse_uem(line: str) -> tuple[str, Span]:
    call, _, start, end = line.split()
    check_times(float(start), float(end))
    return call, Span(float(start), float(end))
