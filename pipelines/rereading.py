"""Reading the calls of a store again: what is found in their words, when the files that say what to look for
have changed. Nothing is heard again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast

from models.embedder import Embedder
from models.errors import UsageError
from models.parser import Parser
from models.sentiment import SentimentModel
from models.speech import Interval
from pipelines.analytics.examples import Examples
from pipelines.analytics.gist import find_gist
from pipelines.analytics.reading import read
from pipelines.analytics.roles import find_roles, recognise_kind
from pipelines.rows import renewed
from pipelines.scorecards.scoring import Scorer
from pipelines.settings import Kind
from pipelines.store import Store
from pipelines.store.parquet import RowGroups
from pipelines.tables import CallRows, Row
from pipelines.transcript import ROLE_GIVEN, Speaker, Turn, Word

CHANGES: Final = ("kind", "roles", "topic", "reason", "outcome", "next_steps", "scores", "categories")
"""What is counted as changed in a call."""

_PASSES: Final = 5


@dataclass(frozen=True)
class Reader:
    """What calls are read with; `embedder_sha256` tells its model from all others, and is empty for none."""

    parser: Parser
    sentiment: SentimentModel
    embedder: Embedder | None
    embedder_sha256: str
    examples: Examples
    scorer: Scorer


@dataclass(frozen=True)
class Reread:
    """What reading a store again did. Of `calls` that were read, `replaced` have other rows than before;
    `changed` says in how many which of `CHANGES`. `left_alone` were embedded by another model, and have to be
    processed again."""

    calls: int
    replaced: int
    changed: Mapping[str, int]
    left_alone: tuple[str, ...]


def reread(
    store: Store, call_ids: Sequence[str], reader: Reader, tell: Callable[[int], None] | None = None
) -> Reread:
    """Read calls of a store again and renew what is found in their words, and what they are judged.

    Each call is replaced in one step. Calls that are processed or judged meanwhile are read again; those that
    go are left out. `tell` hears how many are done. Raises StoreError and InvariantBroken.
    """
    changed: Counter[str] = Counter()
    left_alone: list[str] = []
    calls = replaced = 0
    waiting, groups = list(call_ids), RowGroups()
    for _ in range(_PASSES):
        again: list[str] = []
        for call_id in waiting:
            try:
                stored = store.read_stored(call_id, groups)
            except UsageError:  # gone since it was listed
                continue
            before = stored.rows()
            if reader.embedder_sha256 not in before.call["models"].values():
                left_alone.append(call_id)
                continue
            after = read_again(before, reader)
            if after != before:
                if not store.write_call(after, instead_of=stored):
                    again.append(call_id)
                    continue
                replaced += 1
                changed.update(_changes(before, after))
            calls += 1
            if tell:
                tell(calls)
        waiting = again
        if not waiting:
            break
    told = {name: changed[name] for name in CHANGES if changed[name]}
    return Reread(calls, replaced, told, tuple(left_alone))


def read_again(rows: CallRows, reader: Reader) -> CallRows:
    """The rows of a call as processing its recording with these examples and cards would make them."""
    language = rows.call["language"]
    turns, people = _turns(rows.words), tuple(_speaker(row) for row in rows.speakers)
    reading = read(turns, language, reader.parser, reader.sentiment, reader.embedder)
    kind = cast(Kind, rows.call["kind"])
    if rows.call.get("kind_source") == "recognised":
        kind = recognise_kind(people, reading, language, reader.examples)
    people = find_roles(people, reading, kind, language, reader.examples)
    gist = find_gist(people, reading, kind, language, reader.examples)
    return reader.scorer.score_rows(renewed(rows, kind, people, reading, gist))


def _turns(words: Sequence[Row]) -> tuple[Turn, ...]:
    in_order = sorted(words, key=lambda row: row["position"])
    return tuple(
        Turn(tuple(_word(row) for row in of_turn))
        for _, of_turn in groupby(in_order, key=lambda row: row["turn"])
    )


def _word(row: Row) -> Word:
    return Word(
        row["start_s"],
        row["end_s"],
        text=row["word"],
        confidence=row["confidence"],
        timing_source=row["timing_source"],
        speaker=row["speaker"],
        speaker_confidence=row["speaker_confidence"],
        speaker_source=row["speaker_source"],
        overlapped=row["overlapped"],
    )


def _speaker(row: Row) -> Speaker:
    """A speaker whose role is known where somebody gave it, which alone is certain."""
    given = row["role_confidence"] == ROLE_GIVEN
    detected = tuple(Interval(span["start_s"], span["end_s"]) for span in row["diarization"])
    role, confidence = (row["role"], ROLE_GIVEN) if given else ("unknown", 0.0)
    return Speaker(row["speaker"], role, confidence, row["channel"], (), detected)


def _changes(before: CallRows, after: CallRows) -> set[str]:
    named = {name for name in CHANGES if name in after.call and before.call[name] != after.call[name]}
    if [row["role"] for row in before.speakers] != [row["role"] for row in after.speakers]:
        named.add("roles")
    for name, key in (("scores", "criterion"), ("categories", "category")):
        results = [{(row[key], row["result"]) for row in getattr(rows, name)} for rows in (before, after)]
        if results[0] != results[1]:
            named.add(name)
    return named
