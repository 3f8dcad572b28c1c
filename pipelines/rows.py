"""A call as rows of the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from models.speech import Interval
from pipelines.analytics.call_sentiment import sentiment_by_quarter, sentiment_change, sentiment_of
from pipelines.analytics.conversation import AGENTS, CUSTOMERS
from pipelines.analytics.moments import Moment
from pipelines.analytics.topics import topic_of
from pipelines.failures import RecordingFailure
from pipelines.recording import CALL_ID_DIGITS
from pipelines.settings import PIPELINE_VERSION
from pipelines.speakers import merge
from pipelines.tables import SCHEMA_VERSION, UNKNOWN, CallRows, Row
from pipelines.transcript import Call, Entity, Gist, Reading, Sentence, Speaker, Turn


def rows_of(call: Call, provenance: Row) -> CallRows:
    """The rows of a call; `provenance` has profile, models, settings_sha256 and run_id of table `calls`."""
    roles = {speaker.name: speaker.role for speaker in call.speakers}
    call_id = {"call_id": call.recording.call_id}
    words: list[Row] = []
    turns: list[Row] = []
    for number, turn in enumerate(call.turns):
        role = {"turn": number, "speaker": turn.speaker, "role": roles[turn.speaker]}
        turns.append(
            {
                **call_id,
                **role,
                **_turn(turn, call.speakers),
                **vars(call.conversation.turns[number]),
                **_said_in_turn(number, call.reading),
            }
        )
        words += [
            {
                **call_id,
                **role,
                "position": position,
                "word": word.text,
                "start_s": word.start,
                "end_s": word.end,
                "confidence": word.confidence,
                "timing_source": word.timing_source,
                "speaker_confidence": word.speaker_confidence,
                "speaker_source": word.speaker_source,
                "overlapped": word.overlapped,
            }
            for position, word in enumerate(turn.words, start=len(words))
        ]
    speakers = [{**call_id, **_speaker(speaker, call)} for speaker in call.speakers]
    sentences, entities = _sentences(call_id, call.reading, roles), _entities(call_id, call.reading)
    moments = [{**call_id, **_moment(moment)} for moment in call.conversation.moments]
    return CallRows(
        {**call_id, **_call(call), **provenance}, turns, words, speakers, moments, sentences, entities
    )


def renewed(rows: CallRows, kind: str, people: Sequence[Speaker], reading: Reading, gist: Gist) -> CallRows:
    """The rows of a call with roles and all that is found in its words as given here; `people` in the order
    of `rows.speakers`. What was heard, and `scores` and `categories`, are as they were."""
    call_id = {"call_id": rows.call["call_id"]}
    roles = {person.name: person.role for person in people}
    turns = [
        {**row, "role": roles[row["speaker"]], **_said_in_turn(row["turn"], reading)} for row in rows.turns
    ]
    speakers = [
        {
            **row,
            "role": person.role,
            "role_confidence": person.role_confidence,
            **_said_by(person.name, reading, rows.call["duration_s"]),
        }
        for row, person in zip(rows.speakers, people, strict=True)
    ]
    first = {
        column: min((turn["start_s"] for turn in turns if turn["role"] in side), default=None)
        for column, side in (("first_agent_word_s", AGENTS), ("first_customer_word_s", CUSTOMERS))
    }
    return replace(
        rows,
        call={**rows.call, "kind": kind, **first, **_gist(reading, gist)},
        turns=tuple(turns),
        words=tuple({**row, "role": roles[row["speaker"]]} for row in rows.words),
        speakers=tuple(speakers),
        sentences=tuple(_sentences(call_id, reading, roles)),
        entities=tuple(_entities(call_id, reading)),
    )


def failure_row(
    source: str, sha256: str, failure: RecordingFailure, settings_sha256: str, run_id: str
) -> Row:
    """The row of `failures` for a recording that was set aside; `sha256` is empty where it is not known."""
    return {
        "call_id": sha256[:CALL_ID_DIGITS],
        "source": source,
        "source_sha256": sha256,
        "reason": failure.reason,
        "message": str(failure),
        "retryable": failure.retryable,
        "settings_sha256": settings_sha256,
        "run_id": run_id,
        "failed_at": datetime.now(UTC),
    }


def _call(call: Call) -> Row:
    given, audio, measures = call.recording.metadata, call.audio, call.measures
    found = call.conversation
    if given.started_at:
        started_at, source = given.started_at, "metadata"
    elif audio.recorded_at:
        started_at, source = audio.recorded_at, "container"
    else:
        started_at, source = call.recording.modified_at, "file_modified"
    return {
        "source": call.recording.source,
        "source_sha256": call.recording.sha256,
        "started_at": started_at,
        "started_at_source": source,
        "call_date": started_at.astimezone(UTC).date(),
        "duration_s": audio.duration,
        "channels": len(audio.samples),
        "channel_mode": call.channels.mode,
        "sample_rate": audio.sample_rate,
        "codec": audio.codec,
        "kind": call.kind,
        "kind_source": "given" if call.kind_given else "recognised",
        "language": call.language.code,
        "language_confidence": call.language.confidence,
        "agent_id": given.agent_id or "",
        "customer_id": given.customer_id or "",
        "queue": given.queue or "",
        "direction": given.direction or "",
        "metadata": dict(given.metadata),
        "speaker_count": sum(speaker.name != UNKNOWN for speaker in call.speakers),
        "word_count": len(call.words),
        "turn_count": len(call.turns),
        "speech_s": min(measures.speech_s, audio.duration),
        "silence_s": max(0.0, audio.duration - measures.speech_s),
        "overlap_s": measures.overlap_s,
        "uncovered_speech_s": measures.uncovered_speech_s,
        "snr_db": measures.snr_db,
        "non_talk_s": found.non_talk_s,
        "hold_s": found.hold_s,
        "music_s": found.music_s,
        "dead_air_start_s": found.dead_air_start_s,
        "dead_air_end_s": found.dead_air_end_s,
        "interruptions": found.interruptions,
        "overlap_share": found.overlap_share,
        "first_agent_word_s": found.first_agent_word_s,
        "first_customer_word_s": found.first_customer_word_s,
        "damage": call.audio.damage.reason if call.audio.damage else "",
        "review_flags": list(call.review_flags),
        **_gist(call.reading, call.gist),
        "pipeline_version": PIPELINE_VERSION,
        "schema_version": SCHEMA_VERSION,
        "processed_at": datetime.now(UTC),
        "stage_s": dict(call.stage_s),
    }


def _gist(reading: Reading, gist: Gist) -> Row:
    return {
        "topic": None if gist.topics is None else topic_of(gist.topics),
        "topic_score": gist.topics[0].score if gist.topics else None,
        "topics": [{"topic": topic.name, "score": topic.score} for topic in gist.topics or ()],
        "reason": None if gist.reason is None else asdict(gist.reason),
        "outcome": None if gist.outcome is None else asdict(gist.outcome),
        "next_steps": [asdict(step) for step in gist.next_steps],
        "analysis_notes": {**reading.notes, **gist.notes},
        "examples_sha256": gist.examples_sha256,
    }


def _said_in_turn(number: int, reading: Reading) -> Row:
    said = [sentence for sentence in reading.sentences if sentence.turn == number]
    return {
        "sentiment": sentiment_of(said),
        "key_phrases": list(reading.key_phrases[number]),
        "questions": sum(sentence.question for sentence in said),
    }


def _said_by(speaker: str, reading: Reading, duration: float) -> Row:
    said = [sentence for sentence in reading.sentences if sentence.speaker == speaker]
    by_quarter = sentiment_by_quarter(said, duration)
    return {
        "sentiment": sentiment_of(said),
        "sentiment_by_quarter": list(by_quarter),
        "sentiment_change": sentiment_change(by_quarter),
        "questions": sum(sentence.question for sentence in said),
    }


def _turn(turn: Turn, speakers: tuple[Speaker, ...]) -> Row:
    others = merge([talk for speaker in speakers if speaker.name != turn.speaker for talk in speaker.talk])
    whole = Interval(turn.start, turn.end)
    return {
        "start_s": turn.start,
        "end_s": turn.end,
        "text": turn.text,
        "word_count": len(turn.words),
        "word_confidence": _mean([word.confidence for word in turn.words]),
        "speaker_confidence": _mean([word.speaker_confidence for word in turn.words]),
        "overlap_s": min(whole.duration, sum(whole.overlap(other) for other in others)),
    }


def _speaker(speaker: Speaker, call: Call) -> Row:
    words = [word for word in call.words if word.speaker == speaker.name]
    figures = call.conversation.speakers[speaker.name]
    return {
        "speaker": speaker.name,
        "role": speaker.role,
        "role_confidence": speaker.role_confidence,
        "channel": speaker.channel,
        "diarization": [{"start_s": span.start, "end_s": span.end} for span in speaker.detected],
        "turns": sum(turn.speaker == speaker.name for turn in call.turns),
        "words": len(words),
        "word_confidence": _mean([word.confidence for word in words]),
        "speaker_confidence": _mean([word.speaker_confidence for word in words]),
        **vars(figures),
        "loudness_by_second": list(figures.loudness_by_second),
        **_said_by(speaker.name, call.reading, call.audio.duration),
    }


def _moment(moment: Moment) -> Row:
    return {
        "kind": moment.kind,
        "start_s": moment.start,
        "end_s": moment.end,
        "speaker": moment.speaker,
        "other_speaker": moment.other_speaker,
        "turn": moment.turn,
        "value": moment.value,
    }


def _sentences(call_id: Row, reading: Reading, roles: Mapping[str, str]) -> list[Row]:
    return [
        {**call_id, "sentence": number, "role": roles[sentence.speaker], **_sentence(sentence)}
        for number, sentence in enumerate(reading.sentences)
    ]


def _entities(call_id: Row, reading: Reading) -> list[Row]:
    return [{**call_id, **_entity(entity)} for entity in reading.entities]


def _sentence(sentence: Sentence) -> Row:
    return {
        "turn": sentence.turn,
        "speaker": sentence.speaker,
        "text": sentence.text,
        "start_char": sentence.start_char,
        "end_char": sentence.end_char,
        "start_s": sentence.start,
        "end_s": sentence.end,
        "lemmas": list(sentence.lemmas),
        "question": sentence.question,
        "embedding": [] if sentence.embedding is None else _rounded(sentence.embedding),
    }


def _entity(entity: Entity) -> Row:
    return {
        "turn": entity.turn,
        "speaker": entity.speaker,
        "kind": entity.kind,
        "text": entity.text,
        "start_char": entity.start_char,
        "end_char": entity.end_char,
        "start_s": entity.start,
        "end_s": entity.end,
        "score": None,
        "detector": entity.detector,
    }


def _rounded(embedding: NDArray[np.float32]) -> list[float]:
    """The embedding with the precision of float16, which changes a similarity by less than 0.0002.

    It stays float32 in the files: Spark reads no other. Rounded, it takes two thirds of the room.
    """
    rounded: list[float] = embedding.astype(np.float16).astype(np.float32).tolist()
    return rounded


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
