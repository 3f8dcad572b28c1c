"""WebVTT with voices: cues with times, in which `<v Name>` says who speaks."""

import html
import re
from pathlib import Path

from pipelines.evaluation.document import Document, Segment, from_segments, shared_time
from pipelines.evaluation.formats.lines import complain, lines_of

_TIME = r"(?:(\d+):)?([0-5]?\d):([0-5]?\d[.,]\d{3})"
_TIMES = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?$")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_OTHER_TAG = re.compile(r"</?(?:c|i|b|u|ruby|rt|lang|v)(?:[.\s][^>]*)?>|<[\d:.]+>")
_BLOCKS = ("NOTE", "STYLE", "REGION")


def read_webvtt(path: Path) -> list[Document]:
    """The call that the file is named after. Raises UsageError."""
    lines = lines_of(path)
    if not re.match(r"WEBVTT(\s|$)", lines[0]):
        complain(path, 1, '"WEBVTT"', lines[0])
    segments: list[Segment] = []
    for first, block in _blocks(lines):
        at = next((index for index, line in enumerate(block) if "-->" in line), None)
        if at is None and (first == 1 or block[0].split()[0] in _BLOCKS):
            continue
        times = _TIMES.match(block[at]) if at is not None else None
        if times is None:
            complain(path, first + (at or 0), '"hh:mm:ss.ttt --> hh:mm:ss.ttt" of a cue', block[at or 0])
        start, end = _seconds(*times.groups()[:3]), _seconds(*times.groups()[3:])
        try:
            segments += _voices(" ".join(block[(at or 0) + 1 :]), start, end)
        except ValueError as error:
            complain(path, first + (at or 0), "a cue that ends after it starts", block[at or 0], error)
    return [from_segments(path.stem, str(path), segments)]


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Lines between blank ones, with the number of the first."""
    blocks: list[tuple[int, list[str]]] = []
    blank = True
    for number, line in enumerate(lines, 1):
        if line.strip() and blank:
            blocks.append((number, []))
        if line.strip():
            blocks[-1][1].append(line)
        blank = not line.strip()
    return blocks


def _seconds(hours: str | None, minutes: str, seconds: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _voices(text: str, start: float, end: float) -> list[Segment]:
    """A segment for each voice of a cue; they share its time in proportion to their letters."""
    before, *named = _VOICE.split(text)
    said = [(None, before), *zip((name.strip() for name in named[::2]), named[1::2], strict=True)]
    voices = [(name, " ".join(html.unescape(_OTHER_TAG.sub("", part)).split())) for name, part in said]
    voices = [(name, part) for name, part in voices if part]
    whole = Segment(text, None, start, end)
    shares = shared_time([part for _, part in voices], whole)
    return [
        Segment(part, name, share.start, share.end)
        for (name, part), share in zip(voices, shares, strict=True)
    ]
