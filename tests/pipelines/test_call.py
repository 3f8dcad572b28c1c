"""Recordings become calls, from the bytes to the rows, with the smallest real models."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_audio import tone, wav_bytes
from made_calls import NOTHING_KNOWN
from sample_calls import SAMPLE_CALLS, Processed, SampleCall, lines_of, samples_of, word_error

from models.loaded import LoadedModels
from models.parser import Parser
from models.sentiment import SentimentModel
from models.speech import SAMPLE_RATE, Samples
from pipelines.analytics.reading import read
from pipelines.call import process
from pipelines.failures import LanguageUnsupported, NoSpeech
from pipelines.invariants import check_call
from pipelines.recording import Recording, identify
from pipelines.rows import rows_of
from pipelines.settings import CallSettings
from pipelines.sources import CallMetadata, Source
from pipelines.tables import TIMING_SOURCES, CallRows

PROVENANCE = {"profile": "tiny", "models": {"m": "ab" * 32}, "settings_sha256": "cd" * 32, "run_id": "run-1"}
SPLIT = [name for name, call in SAMPLE_CALLS.items() if call.channels]
STAGES = {
    "decode",
    "vad",
    "transcribe",
    "diarize",
    "attribute",
    "read",
    "interpret",
    "converse",
    "measure",
}

each_call = pytest.mark.parametrize("name", SAMPLE_CALLS)


def rows(processed: Processed) -> CallRows:
    return rows_of(processed.call, PROVENANCE)


def recorded(path: Path, samples: Samples, metadata: CallMetadata = NOTHING_KNOWN) -> Recording:
    path.write_bytes(wav_bytes(np.atleast_2d(samples), SAMPLE_RATE))
    return identify(Source(path, metadata))


@pytest.mark.slow
@each_call
def test_the_rows_of_each_sample_call_contradict_nothing(
    processed: Callable[[str], Processed], name: str
) -> None:
    check_call(rows(processed(name)))


@pytest.mark.slow
@each_call
def test_every_word_has_times_a_speaker_and_says_where_both_come_from(
    processed: Callable[[str], Processed], name: str
) -> None:
    found = rows(processed(name))
    speakers = {row["speaker"] for row in found.speakers}
    # The models of `tiny` hear everything as English, and give up on much of what is not.
    least = 0.5 if SAMPLE_CALLS[name].language == "en" else 0.0
    assert len(found.words) > least * len(SAMPLE_CALLS[name].words)
    for word in found.words:
        assert 0.0 <= word["start_s"] <= word["end_s"] <= found.call["duration_s"]
        assert word["timing_source"] in TIMING_SOURCES
        assert word["speaker"] in speakers
        assert word["speaker_source"]
        assert 0.0 <= word["speaker_confidence"] <= 1.0


@pytest.mark.slow
@each_call
def test_words_are_conserved_from_the_recogniser_to_the_table(
    processed: Callable[[str], Processed], name: str
) -> None:
    made = processed(name)
    recognised = [word.text for track in made.transcripts for segment in track for word in segment.words]
    assert Counter(row["word"] for row in rows(made).words) == Counter(recognised)


@pytest.mark.slow
@each_call
def test_a_call_is_as_long_as_its_truth_and_of_the_kind_that_its_metadata_says(
    processed: Callable[[str], Processed], name: str
) -> None:
    call = rows(processed(name)).call
    assert call["duration_s"] == pytest.approx(SAMPLE_CALLS[name].duration, rel=0.01)
    consultations = {"blood_pressure_review", "knee_pain"}
    assert call["kind"] == ("consultation" if name in consultations else "contact_center")
    assert call["channel_mode"] == ("split" if name in SPLIT else "mono")
    assert call["started_at_source"] == "metadata"
    assert call["damage"] == ""
    assert set(call["stage_s"]) == STAGES


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, call in SAMPLE_CALLS.items() if call.language == "en"])
def test_what_was_said_is_in_the_transcript(processed: Callable[[str], Processed], name: str) -> None:
    made, truth = processed(name), SAMPLE_CALLS[name]
    words = sorted(made.call.words, key=lambda word: word.start)
    said = sorted(truth.words, key=lambda word: word.start)
    error = word_error(" ".join(word.word for word in said), " ".join(word.text for word in words))
    assert error < 0.35


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLIT)
def test_in_a_split_call_each_channel_has_its_speakers_words_and_role(
    processed: Callable[[str], Processed], name: str
) -> None:
    made, truth = rows(processed(name)), SAMPLE_CALLS[name]
    by_channel = {row["channel"]: row for row in made.speakers}
    assert set(by_channel) == set(truth.channels.values())
    for speaker, channel in truth.channels.items():
        row = by_channel[channel]
        words = [word["word"] for word in made.words if word["speaker"] == row["speaker"]]
        assert word_error(truth.said_by(speaker), " ".join(words)) < 0.35
        assert (row["role"], row["role_confidence"]) == (truth.roles[speaker], 1.0)
    assert {word["speaker_source"] for word in made.words} == {"channel"}


@pytest.mark.slow
def test_what_is_said_in_a_message_is_found_in_text_and_time(processed: Callable[[str], Processed]) -> None:
    made, truth = rows(processed("voicemail")), SAMPLE_CALLS["voicemail"]
    assert made.call["analysis_notes"] == {}
    assert all(len(row["embedding"]) == 384 for row in made.sentences)
    found = {row["kind"]: row for row in made.entities}
    assert {"person", "date", "money", "phone_number"} <= set(found)
    name = [word for word in truth.words if word.word in ("Peter", "Hall")]
    assert found["person"]["start_s"] == pytest.approx(name[0].start, abs=0.2)
    assert found["person"]["end_s"] == pytest.approx(name[1].end, abs=0.2)


@pytest.mark.slow
def test_a_call_in_another_language_says_what_it_lacks(processed: Callable[[str], Processed]) -> None:
    call = processed("factura_duplicada").call
    spanish = read(call.turns, "es", Parser(), SentimentModel(), None)
    made = rows_of(replace(call, reading=spanish), PROVENANCE)
    check_call(made)
    assert set(made.call["analysis_notes"]) >= {"lemmas", "sentiment", "embedding"}
    assert {row["sentiment"] for row in made.turns} == {None}


def speaker_error(words: list[tuple[float, float, str]], truth: SampleCall) -> float:
    """Share of words that are not given to who speaks in their middle, as far as one speaks there."""
    pairs = []
    for start, end, speaker in words:
        middle = (start + end) / 2
        speaking = {word.speaker for word in truth.words if word.start <= middle < word.end}
        if len(speaking) == 1:
            pairs.append((speaker, *speaking))
    counts = Counter(pairs)
    owners = {
        speaker: max(truth.roles, key=lambda name, speaker=speaker: counts[speaker, name])  # type: ignore[misc]
        for speaker, _ in pairs
    }
    return sum(owners[speaker] != name for speaker, name in pairs) / len(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["card_dispute", "blood_pressure_review", "voicemail"])
def test_in_a_mono_call_words_are_given_to_who_says_them(
    processed: Callable[[str], Processed], name: str
) -> None:
    made, truth = rows(processed(name)), SAMPLE_CALLS[name]
    assert made.call["speaker_count"] == len(truth.roles)
    spoken = [(word["start_s"], word["end_s"], word["speaker"]) for word in made.words]
    assert speaker_error(spoken, truth) < 0.1


@pytest.mark.slow
def test_one_voice_is_one_speaker_although_a_conversation_has_two(
    processed: Callable[[str], Processed],
) -> None:
    words = processed("voicemail").call.words
    assert {(word.speaker, word.speaker_source) for word in words} == {("S1", "voice")}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "speaker"), [("card_dispute", "George"), ("late_parcel", "Isabella")])
def test_the_lines_of_one_speaker_of_a_conversation_are_one_speakers(
    loaded: LoadedModels, name: str, speaker: str, tmp_path: Path
) -> None:
    call = process(recorded(tmp_path / "a.wav", lines_of(name, speaker)), loaded, CallSettings())
    assert [each.name for each in call.speakers] == ["S1"]


@pytest.mark.slow
def test_nothing_is_asked_of_a_network_and_each_stage_is_announced(
    loaded: LoadedModels, no_network: list[str], tmp_path: Path
) -> None:
    stages: list[str] = []
    samples = samples_of("card_dispute")[: 8 * SAMPLE_RATE]
    call = process(recorded(tmp_path / "a.wav", samples), loaded, CallSettings(), stages.append)
    assert len(stages) == len(STAGES)
    assert set(stages) == set(call.stage_s) == STAGES
    assert no_network == []
    assert call.words


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.7])
def test_a_recording_of_one_word_passes_every_check(
    loaded: LoadedModels, seconds: float, tmp_path: Path
) -> None:
    begins = int(SAMPLE_CALLS["voicemail"].words[20].start * SAMPLE_RATE)
    samples = samples_of("voicemail")[begins : begins + int(seconds * SAMPLE_RATE)]
    found = rows_of(process(recorded(tmp_path / "a.wav", samples), loaded, CallSettings()), PROVENANCE)
    check_call(found)
    assert found.call["duration_s"] == pytest.approx(seconds, abs=0.001)


@pytest.mark.slow
def test_what_is_known_of_a_recording_counts_for_more_than_the_settings(
    loaded: LoadedModels, tmp_path: Path
) -> None:
    known = CallMetadata(kind="consultation", language="en", speakers=1)
    settings = CallSettings("contact_center", "xx", speakers=2)
    samples = np.concatenate(
        [lines_of("card_dispute", speaker)[: 4 * SAMPLE_RATE] for speaker in ("Laura", "George")]
    )
    call = process(recorded(tmp_path / "a.wav", samples, known), loaded, settings)
    assert (call.kind, call.language.code, len(call.speakers)) == ("consultation", "en", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "samples", [np.zeros((1, 16_000), np.float32), tone(3.0)[None]], ids=["silence", "a tone"]
)
def test_a_recording_without_speech_is_set_aside(
    loaded: LoadedModels, samples: Samples, tmp_path: Path
) -> None:
    with pytest.raises(NoSpeech, match=r"a\.wav has no speech"):
        process(recorded(tmp_path / "a.wav", samples), loaded, CallSettings())


@pytest.mark.slow
def test_a_language_that_the_model_cannot_write_sets_the_recording_aside(
    loaded: LoadedModels, tmp_path: Path
) -> None:
    samples = samples_of("factura_duplicada")[: 5 * SAMPLE_RATE]
    with pytest.raises(LanguageUnsupported):
        process(recorded(tmp_path / "a.wav", samples, CallMetadata(language="es")), loaded, CallSettings())


@pytest.mark.slow
def test_a_real_telephone_call_passes_every_check(corpus: Path, loaded: LoadedModels) -> None:
    recording = min((corpus / "bank_calls" / "mono").iterdir(), key=lambda path: path.stat().st_size)
    found = rows_of(process(identify(Source(recording)), loaded, CallSettings()), PROVENANCE)
    check_call(found)
    assert found.call["speaker_count"] == 2
    assert found.call["word_count"] > 20
