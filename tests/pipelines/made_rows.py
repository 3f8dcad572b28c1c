"""Rows of calls that nobody spoke, for tests of what happens to rows."""

import datetime as dt
import hashlib
from typing import Any

from pipelines.tables import SCHEMA_VERSION, CallRows

DAY = dt.datetime(2024, 3, 5, 9, 30, tzinfo=dt.UTC)


def made_call(name: str = "a", version: int = 0, day: int = 0, turns: int = 3, words: int = 4) -> CallRows:
    """A call of `turns` turns of `words` words each, two speakers in alternation.

    The recording is told by `name`; `version` is in every row of the call; `day` moves its date.
    """
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    call_id, duration = sha256[:32], 1.0 + turns * words
    started_at = DAY + dt.timedelta(days=day)
    roles = {"S1": "agent", "S2": "customer"}
    spoken: list[dict[str, Any]] = []
    for position in range(turns * words):
        turn = position // words
        speaker = f"S{1 + turn % 2}"
        spoken.append(
            {
                "call_id": call_id,
                "turn": turn,
                "position": position,
                "word": f"v{version}.",
                "start_s": 0.5 + position,
                "end_s": 1.25 + position,
                "confidence": 0.75,
                "timing_source": "ctc",
                "speaker": speaker,
                "role": roles[speaker],
                "speaker_confidence": 0.5,
                "speaker_source": "diarization",
                "overlapped": False,
            }
        )
    taken = []
    for turn in range(turns):
        of_turn = [word for word in spoken if word["turn"] == turn]
        taken.append(
            {
                "call_id": call_id,
                "turn": turn,
                "speaker": of_turn[0]["speaker"],
                "role": of_turn[0]["role"],
                "start_s": of_turn[0]["start_s"],
                "end_s": of_turn[-1]["end_s"],
                "text": " ".join(word["word"] for word in of_turn),
                "word_count": words,
                "word_confidence": 0.75,
                "speaker_confidence": 0.5,
                "overlap_s": 0.0,
                "words_per_minute": 80.0,
                "loudness_dbfs": -20.0,
                "fillers": 0,
                "response_s": 0.25 if turn else None,
                "sentiment": 0.25,
                "key_phrases": ["made phrase"],
                "questions": 0,
            }
        )
    sentences = [
        {
            "call_id": call_id,
            "turn": turn["turn"],
            "sentence": turn["turn"],
            "speaker": turn["speaker"],
            "role": turn["role"],
            "text": turn["text"],
            "start_char": 0,
            "end_char": len(turn["text"]),
            "start_s": turn["start_s"],
            "end_s": turn["end_s"],
            "lemmas": [f"v{version}"] * words,
            "question": False,
            "embedding": [1.0] + [0.0] * 383,
        }
        for turn in taken
    ]
    entities = [
        {
            "call_id": call_id,
            "turn": turn["turn"],
            "speaker": turn["speaker"],
            "kind": "digits",
            "text": f"v{version}",
            "start_char": 0,
            "end_char": len(f"v{version}"),
            "start_s": turn["start_s"],
            "end_s": turn["start_s"] + 0.75,
            "score": None,
            "detector": "rules",
        }
        for turn in taken
    ]
    speakers = [
        {
            "call_id": call_id,
            "speaker": speaker,
            "role": role,
            "role_confidence": 0.5,
            "channel": 0,
            "talk_s": 0.75 * sum(word["speaker"] == speaker for word in spoken),
            "diarization": [
                {"start_s": word["start_s"], "end_s": word["start_s"] + 0.75}
                for word in spoken
                if word["speaker"] == speaker
            ],
            "turns": sum(turn["speaker"] == speaker for turn in taken),
            "words": sum(word["speaker"] == speaker for word in spoken),
            "word_confidence": 0.75,
            "speaker_confidence": 0.5,
            "talk_share": sum(word["speaker"] == speaker for word in spoken) / max(1, len(spoken)),
            "longest_turn_s": words - 0.25,
            "mean_turn_s": words - 0.25,
            "longest_monologue_s": words - 0.25,
            "interruptions": 0,
            "interruption_s": 0.0,
            "interrupted": 0,
            "backchannels": 0,
            "overlap_s": 0.0,
            "response_median_s": 0.25,
            "response_p90_s": 0.25,
            "words_per_minute": 80.0,
            "fillers": 0,
            "filler_rate": 0.0,
            "first_word_s": 0.5,
            "loudness_dbfs": -20.0,
            "loudness_by_second": [-20.0, None],
            "clipped_share": 0.0,
            "sentiment": 0.25,
            "sentiment_by_quarter": [0.25, None, 0.25, 0.5],
            "sentiment_change": 0.25,
            "questions": 0,
        }
        for speaker, role in roles.items()
    ]
    call = {
        "call_id": call_id,
        "source": f"calls/{name}.wav",
        "source_sha256": sha256,
        "started_at": started_at,
        "started_at_source": "metadata",
        "call_date": started_at.date(),
        "duration_s": duration,
        "channels": 1,
        "channel_mode": "mono",
        "sample_rate": 8000,
        "codec": "pcm_s16le",
        "kind": "contact_center",
        "kind_source": "given",
        "language": "en",
        "language_confidence": 0.9,
        "agent_id": "",
        "customer_id": "",
        "queue": "billing",
        "direction": "inbound",
        "metadata": {"version": str(version)},
        "speaker_count": 2,
        "word_count": len(spoken),
        "turn_count": turns,
        "speech_s": 0.75 * len(spoken),
        "silence_s": duration - 0.75 * len(spoken),
        "overlap_s": 0.0,
        "uncovered_speech_s": 0.0,
        "snr_db": None,
        "non_talk_s": 0.0,
        "hold_s": 0.0,
        "music_s": 0.0,
        "dead_air_start_s": 0.5,
        "dead_air_end_s": 0.75,
        "interruptions": 0,
        "overlap_share": 0.0,
        "first_agent_word_s": 0.5,
        "first_customer_word_s": None,
        "damage": "",
        "review_flags": ["low_confidence"],
        "topic": "lost_card",
        "topic_score": 0.75,
        "topics": [{"topic": "lost_card", "score": 0.75}],
        "reason": {"turn": 0, "sentence": 0, "text": taken[0]["text"]} if taken else None,
        "outcome": None,
        "next_steps": [],
        "analysis_notes": {"sentiment": "Left out."},
        "examples_sha256": "cd" * 32,
        "profile": "tiny",
        "models": {"recogniser": "ab" * 32},
        "settings_sha256": f"settings-{version}",
        "pipeline_version": "0.1.0",
        "schema_version": SCHEMA_VERSION,
        "run_id": "run-1",
        "processed_at": DAY + dt.timedelta(days=100, seconds=version),
        "stage_s": {"transcribe": 1.5},
    }
    moments = [
        {
            "call_id": call_id,
            "kind": "monologue",
            "start_s": turn["start_s"],
            "end_s": turn["end_s"],
            "speaker": turn["speaker"],
            "other_speaker": "",
            "turn": turn["turn"],
            "value": words - 0.25,
        }
        for turn in taken[:2]
    ]
    return CallRows(
        call,
        tuple(taken),
        tuple(spoken),
        tuple(speakers),
        tuple(moments),
        tuple(sentences),
        tuple(entities),
    )


def made_judgement(call_id: str, version: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `scores`, in number `1 + version % 7`, and one of `categories`, all of this version."""
    place = {
        "turn": 0,
        "start_s": 0.5,
        "end_s": 1.25,
        "speaker": "S1",
        "role": "agent",
        "text": f"v{version}",
        "note": "made" * (version % 50),
    }
    scores = [
        {
            "call_id": call_id,
            "scorecard": "made",
            "version": str(version),
            "section": "All",
            "criterion": f"criterion-{number}",
            "result": "pass",
            "points": 1.0,
            "max_points": 1.0,
            "weight": 1.0,
            "critical": False,
            "confidence": 0.5,
            "computed": True,
            "reason": "Made.",
            "evidence": [place],
            "scorecard_sha256": "ab" * 32,
        }
        for number in range(1 + version % 7)
    ]
    category = {
        "call_id": call_id,
        "category": "made",
        "version": str(version),
        "result": "matched",
        "confidence": 0.5,
        "reason": "Made.",
        "evidence": [],
        "category_sha256": "cd" * 32,
    }
    return scores, [category]


def made_failure(source: str = "calls/a.wav", call_id: str = "", **changes: Any) -> dict[str, Any]:
    """A row of `failures` without `attempts`."""
    return {
        "call_id": call_id,
        "source": source,
        "source_sha256": "",
        "reason": "unreadable",
        "message": "The file cannot be read. Make it readable.",
        "retryable": True,
        "settings_sha256": "settings-0",
        "run_id": "run-1",
        "failed_at": DAY,
        **changes,
    }


def made_run(**changes: Any) -> dict[str, Any]:
    """A row of `runs` that is at work."""
    return {
        "run_id": "20240305T093000-1",
        "started_at": DAY,
        "finished_at": None,
        "command": "callfolio run calls",
        "host": "host",
        "pid": 1,
        "profile": "tiny",
        "settings": "{}",
        "settings_sha256": "settings-0",
        "models": {"recogniser": "ab" * 32},
        "versions": {"callfolio": "0.1.0"},
        "sources": 3,
        "processed": 0,
        "skipped": 0,
        "set_aside": 0,
        "set_aside_before": None,
        "elsewhere": None,
        "left_for_later": None,
        "settling": None,
        "audio_s": 0.0,
        "wall_s": 0.0,
        "status": "running",
        **changes,
    }
