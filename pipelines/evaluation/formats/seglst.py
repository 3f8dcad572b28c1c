"""JSON: SegLST, MeetEval's list of segments, and the truth of a sample call."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.errors import UsageError
from pipelines.evaluation.document import Document, Segment, from_segments
from pipelines.evaluation.formats.calls import by_call
from pipelines.evaluation.formats.lines import text_of

_EXPECTED = (
    'a SegLST list of {"session_id", "speaker", "words", "start_time", "end_time"}, or an object '
    'with "words", a list of {"word", "speaker", "start_s", "end_s"}'
)


def read_json(path: Path) -> list[Document]:
    """The calls of a file. Raises UsageError."""
    try:
        content = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: expected JSON, {_EXPECTED}: {error.msg}.") from error
    if isinstance(content, list):
        return _read_seglst(path, content)
    if isinstance(content, Mapping) and isinstance(content.get("words"), list):
        return [_read_truth(path, content)]
    raise UsageError(f"{path}, line 1: expected {_EXPECTED}.")


def _read_seglst(path: Path, content: list[Any]) -> list[Document]:
    segments = []
    for number, item in enumerate(content, 1):
        try:
            segment = Segment(
                _text(item["words"]),
                _name(item.get("speaker")),
                _seconds(item.get("start_time")),
                _seconds(item.get("end_time")),
            )
            segments.append((_name(item.get("session_id")) or path.stem, segment))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _wrong(path, number, item, error) from error
    return by_call(path, segments, lambda call, of_call: from_segments(call, str(path), of_call))


def _read_truth(path: Path, content: Mapping[str, Any]) -> Document:
    words = []
    for number, item in enumerate(content["words"], 1):
        try:
            words.append(
                Segment(
                    _text(item["word"]),
                    _name(item["speaker"]),
                    _seconds(item["start_s"]),
                    _seconds(item["end_s"]),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong(path, number, item, error) from error
    document = from_segments(path.stem, str(path), words, are_words=True)
    try:
        speakers = content.get("speakers") or {}
        roles = {name: str(said["role"]) for name, said in speakers.items() if said.get("role")}
        duration = _seconds(content.get("duration_s"))
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(
            f'{path}: expected "speakers", an object of {{"role"}} by name, and "duration_s" ({error}).'
        ) from error
    facts = {} if duration is None else {"duration_s": duration}
    return replace(
        document, roles=roles or document.roles, language=content.get("language") or "", facts=facts
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _name(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _wrong(path: Path, number: int, item: Any, error: Exception) -> UsageError:
    found = json.dumps(item, ensure_ascii=False)[:80]
    return UsageError(f"{path}, item {number}: expected {_EXPECTED}, found {found} ({error}).")
