"""TSV: a turn a line, `speaker<TAB>text`, without times; or a recording a line, `file<TAB>text`."""

from pathlib import Path

from pipelines.evaluation.document import Document, Segment, from_segments
from pipelines.evaluation.formats.lines import parsed_lines

_EXPECTED = "a speaker (or the file name of a recording), a tab, and what is said"
_HEADS = ("speaker", "file")
"""What stands over the first column, and `text` over the second, where a table is written with its head."""
_AUDIO = (".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a", ".aac", ".webm", ".mp4", ".wma", ".amr", ".gsm")


def read_tsv(path: Path) -> list[Document]:
    """The call that the file is named after or, of a list of recordings, each of these. Raises UsageError."""
    turns = list(parsed_lines(path, _EXPECTED, _parse, comment=""))
    if turns and (turns[0].speaker or "").lower() in _HEADS and turns[0].text.strip().lower() == "text":
        del turns[0]
    if turns and all(Path(turn.speaker or "").suffix.lower() in _AUDIO for turn in turns):
        return [
            from_segments(Path(turn.speaker or "").stem, str(path), [Segment(turn.text)]) for turn in turns
        ]
    return [from_segments(path.stem, str(path), turns)]


def _parse(line: str) -> Segment:
    speaker, tab, text = line.partition("\t")
    if not tab or not speaker.strip() or "\t" in text:
        raise ValueError(line)
    return Segment(text, speaker.strip())
