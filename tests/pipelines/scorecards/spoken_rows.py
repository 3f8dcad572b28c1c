"""Rows of calls that were spoken as a test says, at exact times: two words a second."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.scorecards.conversation import Conversation, tokens_of
from pipelines.tables import TABLES

WORD_S = 0.5
PAUSE_S = 1.0

Line = tuple[str, str]
"""Who speaks, as a role or as `S1:role`, and the words."""

_BASE_FORMS = {"cancelled": "cancel", "cancelling": "cancel", "wants": "want", "is": "be", "was": "be"}


def embed_by_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Stands for the sentence embedding: the cosine of two texts grows with the words that they share."""
    embeddings = np.zeros((len(texts), 384), np.float32)
    for row, text in enumerate(texts):
        for token in tokens_of(text):
            embeddings[row, int(hashlib.md5(token.encode()).hexdigest(), 16) % 384] += 1.0
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit: NDArray[np.float32] = embeddings / np.maximum(lengths, 1e-9)
    return unit


def spoken(
    *lines: Line,
    embed: Callable[[Sequence[str]], NDArray[np.float32]] | None = embed_by_words,
    call: Mapping[str, Any] | None = None,
    confidence: float | Mapping[int, float] = 0.9,
    speaker_confidence: float | Mapping[int, float] = 0.9,
    role_confidence: float = 0.9,
    moments: Sequence[Mapping[str, Any]] = (),
    entities: Sequence[Mapping[str, Any]] = (),
    turn_columns: Mapping[str, Sequence[Any]] | None = None,
    without: Sequence[str] = (),
) -> Conversation:
    """A call in which these lines are spoken, one a turn, with a pause of a second after each.

    `confidence` and `speaker_confidence` are of all words, or by turn; `without` names tables to leave out.
    """
    roles: dict[str, str] = {}
    names: dict[str, str] = {}
    words: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    sentences: list[dict[str, Any]] = []
    now = 0.0
    for turn, (who, text) in enumerate(lines):
        name, _, role = who.rpartition(":")
        speaker = name or names.setdefault(role, f"S{len(names) + 1}")
        roles[speaker] = role
        begin = now
        of_turn = []
        for word in text.split():
            of_turn.append((word, now, now + WORD_S))
            words.append(
                {
                    "call_id": "c",
                    "turn": turn,
                    "position": len(words),
                    "word": word,
                    "start_s": now,
                    "end_s": now + WORD_S,
                    "confidence": _of(confidence, turn),
                    "speaker": speaker,
                    "role": role,
                    "speaker_confidence": _of(speaker_confidence, turn),
                }
            )
            now += WORD_S
        turns.append(
            {
                "call_id": "c",
                "turn": turn,
                "speaker": speaker,
                "role": role,
                "start_s": begin,
                "end_s": now,
                "text": " ".join(text.split()),
                "word_count": len(of_turn),
                "word_confidence": _of(confidence, turn),
                "speaker_confidence": _of(speaker_confidence, turn),
                "overlap_s": 0.0,
            }
        )
        at = 0
        for sentence in re.split(r"(?<=[.?!])\s+", text.strip()):
            length = len(sentence.split())
            sentences.append(
                {
                    "call_id": "c",
                    "turn": turn,
                    "sentence": len(sentences),
                    "speaker": speaker,
                    "role": role,
                    "text": sentence,
                    "start_s": of_turn[at][1],
                    "end_s": of_turn[at + length - 1][2],
                    "lemmas": [_BASE_FORMS.get(token, token) for token in tokens_of(sentence)],
                    "question": sentence.endswith("?"),
                }
            )
            at += length
        now += PAUSE_S
    embeddings = embed([each["text"] for each in sentences]) if embed and sentences else None
    for number, sentence_row in enumerate(sentences):
        sentence_row["embedding"] = [] if embeddings is None else embeddings[number].tolist()
    tables = {
        "words": pa.Table.from_pylist(words, TABLES["words"].schema),
        "turns": pa.Table.from_pylist(turns, TABLES["turns"].schema),
        "speakers": pa.Table.from_pylist(
            [
                {
                    "call_id": "c",
                    "speaker": speaker,
                    "role": role,
                    "role_confidence": 0.0 if role == "unknown" else role_confidence,
                    "channel": 0,
                    "talk_s": sum(WORD_S for word in words if word["speaker"] == speaker),
                    "turns": sum(turn["speaker"] == speaker for turn in turns),
                    "words": sum(word["speaker"] == speaker for word in words),
                    "word_confidence": 0.9,
                    "speaker_confidence": 0.9,
                }
                for speaker, role in roles.items()
            ],
            TABLES["speakers"].schema,
        ),
        "sentences": pa.Table.from_pylist(sentences, TABLES["sentences"].schema),
        "moments": pa.Table.from_pylist(
            [{"call_id": "c", **each} for each in moments], TABLES["moments"].schema
        ),
        "entities": pa.Table.from_pylist(
            [{"call_id": "c", **each} for each in entities], TABLES["entities"].schema
        ),
    }
    for column, values in (turn_columns or {}).items():
        tables["turns"] = _with(tables["turns"], column, values)
    row = {
        "call_id": "c",
        "source": "calls/c.wav",
        "kind": "contact_center",
        "language": "en",
        "duration_s": now,
        "queue": "billing",
        "metadata": {"campaign": "spring"},
        **(call or {}),
    }
    return Conversation(row, {name: table for name, table in tables.items() if name not in without})


def _with(table: pa.Table, column: str, values: Sequence[Any]) -> pa.Table:
    kind = pa.array(list(values))
    if column in table.column_names:
        return table.set_column(table.column_names.index(column), column, kind)
    return table.append_column(column, kind)


def _of(value: float | Mapping[int, float], turn: int) -> float:
    return value if isinstance(value, float) else value.get(turn, 0.9)
