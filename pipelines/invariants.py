"""What must be true of a call's rows before they are written."""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from models.language import EMBEDDING_SIZE
from pipelines.failures import RecordingFailure
from pipelines.tables import (
    CALLS,
    CATEGORIES,
    ENTITIES,
    MOMENTS,
    PARTITION,
    QUARTERS,
    SCORES,
    SENTENCES,
    SPEAKERS,
    TURNS,
    UNKNOWN,
    UNSURE,
    WORDS,
    CallRows,
    Column,
    Row,
    Table,
)

# Times and means that were rounded on their way may differ by this; what is added up, by more.
_TIME_TOLERANCE: Final = 1e-6
_SUM_TOLERANCE: Final = 0.05
_CALL_SECONDS: Final = (
    "speech_s",
    "overlap_s",
    "uncovered_speech_s",
    "non_talk_s",
    "hold_s",
    "music_s",
    "dead_air_start_s",
    "dead_air_end_s",
)
# Embeddings are rounded to eleven bits.
_UNIT_TOLERANCE: Final = 1e-3
_CALL_ID: Final = re.compile(r"[0-9a-f]{32}")


class InvariantBroken(RecordingFailure):
    """Rows that were made for a recording contradict each other or the declaration of their table.

    `invariant` is the name of what is broken, `detail` says where.
    """

    reason = "invariant_broken"

    def __init__(self, source: str, invariant: str, detail: str) -> None:
        """`source` names the recording or the run."""
        super().__init__(
            f"{source} was not stored because what was made from it contradicts itself "
            f"({invariant}: {detail}). This is a fault of Callfolio, not of the recording; please report it."
        )
        self.source, self.invariant, self.detail = source, invariant, detail

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments, so that `invariant` survives the way from a worker to its parent."""
        return type(self), (self.source, self.invariant, self.detail)


def check_rows(table: Table, rows: Sequence[Row], source: str) -> None:
    """Check that rows have exactly the columns of their table, with values that it may hold.

    Raises InvariantBroken: `columns`, `nulls`, `values`, `finite` or `confidences`. `source` names the
    recording or the run in its message.
    """
    names = {column.name for column in table.columns}
    for number, row in enumerate(rows):
        if row.keys() != names:
            odd = ", ".join(sorted(row.keys() ^ names))
            raise InvariantBroken(
                source, "columns", f"{table.name} row {number} lacks, or has too many: {odd}"
            )
    # Column by column: what a column may hold is then asked once, and not of every value.
    for column in table.columns:
        values = [row[column.name] for row in rows]
        for invariant, is_right, what in _demands(column):
            if not all(map(is_right, values)):
                number = next(number for number, value in enumerate(values) if not is_right(value))
                place = f"{table.name}.{column.name} of row {number}"
                raise InvariantBroken(source, invariant, f"{place} is {what(values[number])}")


_Demand = tuple[str, Callable[[Any], bool], Callable[[Any], str]]
"""The name of an invariant, whether a value is as it demands, and how to say which value is not."""


def _demands(column: Column) -> Iterator[_Demand]:
    if not column.nullable:
        yield "nulls", lambda value: value is not None, lambda _: "null"
    if column.values:
        yield "values", lambda value: value is None or value in column.values, repr
    if pa.types.is_timestamp(column.type):
        yield "values", lambda value: value is None or value.tzinfo is not None, repr
    if pa.types.is_floating(column.type):
        yield "finite", lambda value: value is None or math.isfinite(value), str
        if column.name.endswith("confidence"):
            yield "confidences", _is_share, lambda value: f"{value}, not within 0 and 1"


def _is_share(value: float | None) -> bool:
    return value is None or 0 <= value <= 1


def check_call(rows: CallRows) -> None:
    """Check all that must be true of a call's rows, each by itself and all together.

    Raises InvariantBroken, whose `invariant` names which is not.
    """
    source = str(rows.call.get("source", "A recording"))
    call = {name: value for name, value in rows.call.items() if name != PARTITION}
    for table, of_table in (
        (CALLS, [call]),
        (TURNS, rows.turns),
        (WORDS, rows.words),
        (SPEAKERS, rows.speakers),
        (MOMENTS, rows.moments),
        (SENTENCES, rows.sentences),
        (ENTITIES, rows.entities),
        (SCORES, rows.scores),
        (CATEGORIES, rows.categories),
    ):
        check_rows(table, of_table, source)
    for invariant, broken in _INVARIANTS.items():
        for detail in broken(rows):
            raise InvariantBroken(source, invariant, detail)


def _identity(rows: CallRows) -> Iterator[str]:
    call_id = rows.call["call_id"]
    if not _CALL_ID.fullmatch(call_id) or not rows.call["source_sha256"].startswith(call_id):
        yield f"call_id is {call_id!r} and source_sha256 {rows.call['source_sha256']!r}"
    for name in ("turns", "words", "speakers", "moments", "sentences", "entities"):
        for row in getattr(rows, name):
            if row["call_id"] != call_id:
                yield f"a row of {name} is of call {row['call_id']!r}"


def _date(rows: CallRows) -> Iterator[str]:
    started_at, call_date = rows.call["started_at"], rows.call.get(PARTITION)
    if started_at.tzinfo is None or started_at.astimezone(dt.UTC).date() != call_date:
        yield f"started_at is {started_at} and call_date {call_date}"


def _counts(rows: CallRows) -> Iterator[str]:
    known = [row for row in rows.speakers if row["speaker"] != UNKNOWN]
    for column, counted in (
        ("word_count", len(rows.words)),
        ("turn_count", len(rows.turns)),
        ("speaker_count", len(known)),
    ):
        if rows.call[column] != counted:
            yield f"{column} is {rows.call[column]}, counted {counted}"
    for speaker in rows.speakers:
        for column, of_table in (("turns", rows.turns), ("words", rows.words)):
            counted = sum(row["speaker"] == speaker["speaker"] for row in of_table)
            if speaker[column] != counted:
                yield f"{column} of {speaker['speaker']} is {speaker[column]}, counted {counted}"


def _durations(rows: CallRows) -> Iterator[str]:
    duration = rows.call["duration_s"]
    if abs(rows.call["speech_s"] + rows.call["silence_s"] - duration) > _SUM_TOLERANCE:
        yield "speech_s and silence_s do not add up to duration_s"
    measured = [
        *((f"calls.{name}", rows.call[name]) for name in _CALL_SECONDS),
        *(("turns.overlap_s", turn["overlap_s"]) for turn in rows.turns),
        *(("speakers.talk_s", speaker["talk_s"]) for speaker in rows.speakers),
    ]
    for speaker in rows.speakers:
        edges = [at[edge] for at in speaker["diarization"] for edge in ("start_s", "end_s")]
        if edges != sorted(edges) or (edges and not 0 <= edges[0] <= edges[-1] <= duration + _SUM_TOLERANCE):
            yield f"diarization of {speaker['speaker']} is out of order, or not within the call"
    for name, value in measured:
        if not 0 <= value <= duration + _SUM_TOLERANCE:
            yield f"{name} is {value}, not within 0 and the {duration} s of the call"


def _times(rows: CallRows) -> Iterator[str]:
    duration = rows.call["duration_s"] + _TIME_TOLERANCE
    for name, number, of_table in (("word", "position", rows.words), ("turn", "turn", rows.turns)):
        for row in of_table:
            if not 0 <= row["start_s"] <= row["end_s"] <= duration:
                yield f"{name} {row[number]} is from {row['start_s']} to {row['end_s']} s"
    for before, after in zip(rows.turns, rows.turns[1:], strict=False):
        if after["start_s"] < before["start_s"]:
            yield f"turn {after['turn']} starts before turn {before['turn']}"
    for before, after in zip(rows.words, rows.words[1:], strict=False):
        if after["turn"] == before["turn"] and after["start_s"] < before["start_s"]:
            yield f"word {after['position']} starts before word {before['position']} of the same turn"


def _speakers(rows: CallRows) -> Iterator[str]:
    roles = {row["speaker"]: row["role"] for row in rows.speakers}
    if len(roles) != len(rows.speakers):
        yield "a speaker is listed twice"
    if "" in roles:
        yield "a speaker has no name"
    for name, of_table in (("turns", rows.turns), ("words", rows.words)):
        for row in of_table:
            if roles.get(row["speaker"]) != row["role"]:
                yield f"{row['speaker']!r} as {row['role']!r} in {name} is not in speakers"
    for word in rows.words:
        if not word["speaker_source"]:
            yield f"word {word['position']} does not say where its speaker comes from"


def _scores(rows: CallRows) -> Iterator[str]:
    for row in (*rows.scores, *rows.categories):
        name = row.get("criterion") or row["category"]
        if row["call_id"] != rows.call["call_id"]:
            yield f"{name} is of call {row['call_id']!r}"
        for place in row["evidence"]:
            if not 0 <= place["start_s"] <= place["end_s"] <= rows.call["duration_s"] + _TIME_TOLERANCE:
                yield f"evidence of {name} is from {place['start_s']} to {place['end_s']} s"
            if place["turn"] is not None and not 0 <= place["turn"] < len(rows.turns):
                yield f"evidence of {name} is in turn {place['turn']}, which is not there"
    for row in rows.scores:
        points = {"pass": row["max_points"], "fail": 0.0}.get(row["result"])
        if row["points"] != points or row["max_points"] < 0:
            yield f"{row['criterion']} has {row['points']} of {row['max_points']} points for {row['result']}"
    of_card = [(row["scorecard"], row["criterion"]) for row in rows.scores]
    if len(set(of_card)) != len(of_card):
        yield "a criterion is judged twice"


def _numbers(rows: CallRows) -> Iterator[str]:
    if [row["position"] for row in rows.words] != list(range(len(rows.words))):
        yield "positions of words are not 0, 1, 2, …"
    if [row["turn"] for row in rows.turns] != list(range(len(rows.turns))):
        yield "numbers of turns are not 0, 1, 2, …"
    if [row["turn"] for row in rows.words] != sorted(row["turn"] for row in rows.words):
        yield "words are not in order of their turns"


def _partition(rows: CallRows) -> Iterator[str]:
    words: dict[int, list[Row]] = {row["turn"]: [] for row in rows.turns}
    for word in rows.words:
        if not _letters([word["word"]]):
            yield f"word {word['position']} is empty"
        if word["turn"] not in words:
            yield f"word {word['position']} is of turn {word['turn']}, which is not there"
            return
        words[word["turn"]].append(word)
    for turn in rows.turns:
        of_turn, name = words[turn["turn"]], f"turn {turn['turn']}"
        if not of_turn or turn["word_count"] != len(of_turn):
            yield f"{name} has word_count {turn['word_count']} and {len(of_turn)} words"
            return
        if _letters([turn["text"]]) != _letters([word["word"] for word in of_turn]):
            yield f"the text of {name} is not its words"
        if any(word["speaker"] != turn["speaker"] for word in of_turn):
            yield f"{name} has words of another speaker"
        start, end = of_turn[0]["start_s"], max(word["end_s"] for word in of_turn)
        if max(abs(turn["start_s"] - start), abs(turn["end_s"] - end)) > _TIME_TOLERANCE:
            yield f"{name} is not from {start} to {end} s as its words are"


def _said(rows: CallRows) -> Iterator[str]:
    """Sentences and entities lie in their turns: in its text, in its time, one behind the other."""
    turns = {row["turn"]: row for row in rows.turns}
    if [row["sentence"] for row in rows.sentences] != list(range(len(rows.sentences))):
        yield "numbers of sentences are not 0, 1, 2, …"
    for name, of_table in (("sentence", rows.sentences), ("entity", rows.entities)):
        place = (-1, 0)
        for row in of_table:
            turn = turns.get(row["turn"])
            start, end = row["start_char"], row["end_char"]
            what = f"the {name} {row['text']!r} of turn {row['turn']}"
            if turn is None:
                yield f"{what} is of a turn that is not there"
                return
            if not 0 <= start < end or turn["text"][start:end] != row["text"]:
                yield f"{what} is not at {start} to {end} of the turn's text"
            if (row["turn"], start) < place:
                yield f"{what} is not behind the one before it"
            if row["speaker"] != turn["speaker"] or row.get("role", turn["role"]) != turn["role"]:
                yield f"{what} is another speaker's than the turn"
            if not turn["start_s"] <= row["start_s"] <= row["end_s"] <= turn["end_s"]:
                yield f"{what} is from {row['start_s']} to {row['end_s']} s and outside its turn"
            place = (row["turn"], end)
    for row in rows.sentences:
        size, length = len(row["embedding"]), math.hypot(*row["embedding"])
        if size and not (size == EMBEDDING_SIZE and abs(length - 1) <= _UNIT_TOLERANCE):
            yield f"the embedding of sentence {row['sentence']} has {size} numbers and length {length}"


def _gist(rows: CallRows) -> Iterator[str]:
    """What is quoted was said so; topics are in order, the first of them the call's."""
    call = rows.call
    said = {
        row["sentence"]: {name: row[name] for name in ("turn", "sentence", "text")} for row in rows.sentences
    }
    for name in ("reason", "outcome"):
        if call[name] is not None and call[name] != said.get(call[name]["sentence"]):
            yield f"{name} is {call[name]}, which is no sentence of the call"
    for step in call["next_steps"]:
        if step != said.get(step["sentence"]):
            yield f"a next step is {step}, which is no sentence of the call"
    scores = [topic["score"] for topic in call["topics"]]
    if scores != sorted(scores, reverse=True) or not all(0 <= score <= 1 for score in scores):
        yield f"topics have the scores {scores}"
    if call["topic_score"] != (scores[0] if scores else None):
        yield f"topic_score is {call['topic_score']}, and topics have the scores {scores}"
    if call["topic"] not in (None, UNSURE, *(topic["topic"] for topic in call["topics"][:1])):
        yield f"topic is {call['topic']}, which is not the first of topics"


def _questions(rows: CallRows) -> Iterator[str]:
    asked = [row for row in rows.sentences if row["question"]]
    for column, of_table in (("turn", rows.turns), ("speaker", rows.speakers)):
        for row in of_table:
            counted = sum(sentence[column] == row[column] for sentence in asked)
            if row["questions"] != counted:
                yield f"questions of {column} {row[column]} are {row['questions']}, counted {counted}"


def _sentiment(rows: CallRows) -> Iterator[str]:
    for row in (*rows.turns, *rows.speakers):
        quarters = row.get("sentiment_by_quarter", [None] * QUARTERS)
        if len(quarters) != QUARTERS:
            yield f"sentiment_by_quarter of {row['speaker']} has {len(quarters)} numbers"
        for value in (row["sentiment"], *quarters):
            if value is not None and not abs(value) <= 1 + _TIME_TOLERANCE:
                yield f"sentiment of {row['speaker']} is {value}, not within -1 and 1"


def _letters(texts: Sequence[str]) -> str:
    # Some languages put spaces between words and some do not.
    return "".join("".join(texts).split())


def _moments(rows: CallRows) -> Iterator[str]:
    duration = rows.call["duration_s"] + _TIME_TOLERANCE
    known = {row["speaker"] for row in rows.speakers} | {""}
    for row in rows.moments:
        name = f"{row['kind']} from {row['start_s']} to {row['end_s']} s"
        if not 0 <= row["start_s"] <= row["end_s"] <= duration:
            yield f"{name} is not within the call"
        if not {row["speaker"], row["other_speaker"]} <= known:
            yield f"{name} is of {row['speaker']!r} and {row['other_speaker']!r}, who are not in speakers"
        if row["turn"] is not None and not 0 <= row["turn"] < len(rows.turns):
            yield f"{name} is of turn {row['turn']}, which is not there"
    yield from _counted_moments(rows)
    shares = [row["talk_share"] for row in rows.speakers]
    if any(shares) and abs(sum(shares) - 1) > _TIME_TOLERANCE:
        yield f"the talk shares add up to {sum(shares)}"


def _counted_moments(rows: CallRows) -> Iterator[str]:
    for owner, column, kind, counted in (
        ("speaker", "interruptions", "interruption", rows.speakers),
        ("other_speaker", "interrupted", "interruption", rows.speakers),
        ("speaker", "backchannels", "backchannel", rows.speakers),
    ):
        for speaker in counted:
            of_speaker = (row for row in rows.moments if row[owner] == speaker["speaker"])
            if speaker[column] != sum(row["kind"] == kind for row in of_speaker):
                yield f"{column} of {speaker['speaker']} is {speaker[column]} and not its moments"
    if rows.call["interruptions"] != sum(row["kind"] == "interruption" for row in rows.moments):
        yield f"interruptions is {rows.call['interruptions']} and not its moments"
    for kind in ("hold", "music"):
        seconds = sum(row["end_s"] - row["start_s"] for row in rows.moments if row["kind"] == kind)
        if abs(rows.call[f"{kind}_s"] - seconds) > _SUM_TOLERANCE:
            yield f"{kind}_s is {rows.call[f'{kind}_s']} and the moments have {seconds} s"


_INVARIANTS: Final[Mapping[str, Callable[[CallRows], Iterator[str]]]] = {
    "identity": _identity,
    "date": _date,
    "counts": _counts,
    "durations": _durations,
    "times": _times,
    "numbers": _numbers,
    "speakers": _speakers,
    "turns": _partition,
    "moments": _moments,
    "said": _said,
    "gist": _gist,
    "questions": _questions,
    "sentiment": _sentiment,
    "scores": _scores,
}
