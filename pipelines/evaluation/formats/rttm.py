"""RTTM and UEM: who speaks when, and where that is to be scored."""

from pathlib import Path

from pipelines.evaluation.document import Document, Segment, Span, check_times, spans
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import parsed_lines

_RTTM = '"SPEAKER call channel start duration <NA> <NA> speaker <NA> <NA>", times in seconds'
_UEM = '"call channel start end", times in seconds'
_OTHER_TYPES = (
    *("SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "SU"),
    *("IP", "CB", "A/P", "SPKR-INFO"),
)
"""The types besides SPEAKER in NIST's RTTM 1.3 (Rich Transcription 2009 evaluation plan, appendix A)."""


def read_rttm(path: Path) -> list[Document]:
    """The calls of an RTTM file; lines of other types than SPEAKER are passed over. Raises UsageError."""
    return by_call(
        path,
        parsed_lines(path, _RTTM, _parse_rttm),
        lambda call, segments: Document(call, str(path), speech=spans(segments)),
    )


def read_uem(path: Path) -> list[Document]:
    """The calls of a UEM file. Raises UsageError."""
    return by_call(
        path,
        parsed_lines(path, _UEM, _parse_uem),
        lambda call, scored: Document(call, str(path), scored=tuple(scored)),
    )


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
