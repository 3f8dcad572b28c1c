"""The sample calls are what their README says: complete, small, and with a truth that fits the sound."""

import importlib
import json
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[2] / "data" / "sample_calls"
RECORDINGS = sorted([*FOLDER.glob("*.opus"), *FOLDER.glob("*.flac")])
RATE = 8_000

each_call = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)


def truth_of(recording: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "truth" / f"{recording.stem}.json").read_text("utf-8"))
    return content


def sidecar_of(recording: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(recording.with_suffix(".json").read_text("utf-8"))
    return content


def decoded(recording: Path) -> NDArray[np.float32]:
    """Samples at 8 kHz, shape (channels, samples)."""
    with av.open(str(recording)) as container:
        resampler = av.AudioResampler(format="fltp", rate=RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float32)


def level_db(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def part(samples: NDArray[np.float32], start: float, end: float) -> NDArray[np.float32]:
    return samples[..., round(start * RATE) : round(end * RATE)]


def silences(truth: dict[str, Any], at_least: float) -> list[tuple[float, float]]:
    """Stretches in which nobody speaks and no music or tone is heard, in seconds."""
    heard = [*truth["words"], *(e for e in truth["events"] if e["kind"] != "silence")]
    edges = sorted((h["start_s"], h["end_s"]) for h in heard)
    found, until = [], 0.0
    for start, end in [*edges, (truth["duration_s"], truth["duration_s"])]:
        if start - until >= at_least:
            found.append((until, start))
        until = max(until, end)
    return found


def test_there_are_eight_calls_of_six_minutes_and_less_than_three_megabytes() -> None:
    assert len(RECORDINGS) == 8
    assert sum(path.stat().st_size for path in RECORDINGS) < 3_000_000
    assert 330 <= sum(truth_of(path)["duration_s"] for path in RECORDINGS) <= 420


def test_truths_and_dialogues_belong_to_recordings() -> None:
    names = {path.stem for path in RECORDINGS}
    assert {path.stem for path in (FOLDER / "truth").glob("*.json")} == names
    assert {path.stem for path in (FOLDER / "dialogues").glob("*.yaml")} == names


def test_the_calls_cover_what_they_are_there_for() -> None:
    sidecars = {path.stem: sidecar_of(path) for path in RECORDINGS}
    truths = {path.stem: truth_of(path) for path in RECORDINGS}
    assert sorted(name for name, s in sidecars.items() if s["kind"] == "consultation") == [
        "blood_pressure_review",
        "knee_pain",
    ]
    assert [name for name, s in sidecars.items() if "language" not in s] == ["factura_duplicada"]
    assert {name: t["language"] for name, t in truths.items() if t["language"] != "en"} == {
        "factura_duplicada": "es"
    }
    assert [name for name, t in truths.items() if len(t["speakers"]) == 1] == ["voicemail"]
    assert {e["kind"] for t in truths.values() for e in t["events"]} == {"hold", "silence", "beep"}
    assert sum(line["backchannel"] for t in truths.values() for line in t["lines"]) >= 4


@each_call
def test_the_decoded_audio_is_as_long_as_the_truth_says(recording: Path) -> None:
    truth = truth_of(recording)
    assert truth["name"] == recording.stem
    assert decoded(recording).shape[1] / RATE == pytest.approx(truth["duration_s"], abs=0.05)
    assert 30 <= truth["duration_s"] <= 75


@each_call
def test_the_sidecar_and_the_truth_agree_on_who_is_on_which_channel(recording: Path) -> None:
    speakers = truth_of(recording)["speakers"].values()
    channels = len(decoded(recording))
    if channels == 1:
        assert [s["channel"] for s in speakers] == [None] * len(speakers)
        assert "channel_roles" not in sidecar_of(recording)
    else:
        roles = {str(s["channel"] + 1): s["role"] for s in speakers}
        assert sidecar_of(recording)["channel_roles"] == roles
        assert set(roles) == {"1", "2"}


@each_call
def test_words_of_a_speaker_follow_one_another_within_the_call(recording: Path) -> None:
    truth = truth_of(recording)
    assert {word["speaker"] for word in truth["words"]} == set(truth["speakers"])
    for speaker in truth["speakers"]:
        words = [word for word in truth["words"] if word["speaker"] == speaker]
        assert all(0 <= word["start_s"] < word["end_s"] <= truth["duration_s"] for word in words)
        assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(words))


@each_call
def test_lines_are_made_of_their_words(recording: Path) -> None:
    truth = truth_of(recording)
    for index, line in enumerate(truth["lines"]):
        words = [word for word in truth["words"] if word["line"] == index]
        assert line["text"] == " ".join(word["written"] for word in words)
        assert {word["speaker"] for word in words} == {line["speaker"]}
        assert (line["start_s"], line["end_s"]) == (words[0]["start_s"], words[-1]["end_s"])
        assert all(word["word"] in word["written"] for word in words)


@each_call
def test_words_are_far_louder_than_silence(recording: Path) -> None:
    truth = truth_of(recording)
    samples = decoded(recording)
    loudest = samples[np.argmax(np.square(samples).sum(axis=1))]
    own = [truth["speakers"][word["speaker"]]["channel"] for word in truth["words"]]
    spoken = [
        level_db(part(loudest if channel is None else samples[channel], word["start_s"], word["end_s"]))
        for channel, word in zip(own, truth["words"], strict=True)
    ]
    # A silence's first and last tenth of a second hold what is left of a word under the limit of hearing.
    quiet = [level_db(part(samples, a + 0.1, b - 0.1)) for a, b in silences(truth, at_least=0.3)]
    assert np.median(spoken) > max(quiet) + 20
    assert min(spoken) > np.median(quiet) + 8


@each_call
def test_sound_sets_in_where_the_truth_says_that_speech_begins(recording: Path) -> None:
    truth = truth_of(recording)
    samples = decoded(recording).sum(axis=0)
    late = []
    for start, end in silences(truth, at_least=0.3):
        if end == truth["duration_s"] or any(e["start_s"] == end for e in truth["events"]):
            continue
        before = level_db(part(samples, start + 0.1, end - 0.05))
        late.append(level_db(part(samples, end, end + 0.05)) < before + 6)
    assert len(late) >= 5
    assert sum(late) <= 1


@each_call
def test_in_stereo_each_speaker_is_louder_on_their_own_channel(recording: Path) -> None:
    truth = truth_of(recording)
    samples = decoded(recording)
    if len(samples) == 1:
        assert all(speaker["channel"] is None for speaker in truth["speakers"].values())
        return
    for word in truth["words"]:
        overlapped = any(
            other["start_s"] < word["end_s"] + 0.1 and other["end_s"] > word["start_s"] - 0.1
            for other in truth["words"]
            if other["speaker"] != word["speaker"]
        )
        if not overlapped:
            channel = truth["speakers"][word["speaker"]]["channel"]
            heard = part(samples, word["start_s"], word["end_s"])
            assert level_db(heard[channel]) > level_db(heard[1 - channel]) + 6, word


# How lines are placed in time, with a voice that says every word in 0.3 s after a breath of 0.1 s.


@pytest.fixture
def dialogue(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("synthesis.dialogue")


MADE = {
    "name": "made",
    "kind": "contact_center",
    "language": "en",
    "channels": 1,
    "metadata": {},
    "speakers": {"Ann": {"role": "agent", "voice": "x"}, "Bob": {"role": "customer", "voice": "y"}},
    "lines": [],
}


def placed(dialogue: ModuleType, lines: list[dict[str, Any]], minutes: float | None = None) -> Any:
    def speak(text: str, _voice: str, _speed: float) -> Any:
        words = text.split()
        length = round((0.2 + 0.3 * len(words)) * dialogue.SPEECH_RATE)
        timed = [dialogue.TimedWord(w, 0.1 + 0.3 * n, 0.4 + 0.3 * n) for n, w in enumerate(words)]
        return dialogue.Speech(np.ones(length, dtype=np.float32), tuple(timed))

    made = dialogue.parse_dialogue({**MADE, "lines": lines})
    if minutes is None:
        return dialogue.place(made, speak)
    return dialogue.place(made, speak, dialogue.repeated(made), until=minutes * 60)


def times(call: Any) -> list[tuple[float, float]]:
    return [(round(line.start, 9), round(line.end, 9)) for line in call.lines]


def test_a_line_begins_its_gap_after_the_line_before(dialogue: ModuleType) -> None:
    call = placed(dialogue, [{"Ann": "one two"}, {"Bob": "three", "gap": 0.5}, {"Ann": "four"}])
    assert times(call) == [(0.6, 1.2), (1.7, 2.0), (2.35, 2.65)]
    assert call.lines[0].audio_start == pytest.approx(0.5)
    assert call.duration == pytest.approx(2.65 + 0.6)


def test_a_negative_gap_speaks_over_the_line_before(dialogue: ModuleType) -> None:
    call = placed(dialogue, [{"Ann": "one two"}, {"Bob": "three", "gap": -0.25}])
    assert times(call) == [(0.6, 1.2), (0.95, 1.25)]


def test_a_cut_line_ends_with_the_word_it_is_cut_after_and_fades_out(dialogue: ModuleType) -> None:
    call = placed(dialogue, [{"Ann": "one two, three four", "cut": "two"}, {"Bob": "five", "gap": 0.0}])
    assert times(call) == [(0.6, 1.2), (1.2, 1.5)]
    assert call.lines[0].text == "one two,"
    samples = call.lines[0].speech.samples
    assert len(samples) == round(0.7 * dialogue.SPEECH_RATE)
    assert samples[-1] == 0.0
    assert samples[: round(0.6 * dialogue.SPEECH_RATE)].min() == 1.0


def test_a_backchannel_is_spoken_within_a_line_and_takes_no_turn(dialogue: ModuleType) -> None:
    call = placed(
        dialogue,
        [{"Ann": "one two three four"}, {"Bob": "Mm", "backchannel": 0.5}, {"Bob": "five", "gap": 0.2}],
    )
    assert times(call) == [(0.6, 1.8), (1.1, 1.4), (2.0, 2.3)]


def test_a_silence_begins_where_the_line_before_ends_and_music_after_its_gap(dialogue: ModuleType) -> None:
    call = placed(dialogue, [{"Ann": "one"}, {"silence": 2}, {"Bob": "two"}, {"hold": 3, "gap": 0.5}])
    assert [(e.kind, round(e.start, 9), round(e.end, 9)) for e in call.events] == [
        ("silence", 0.9, 2.9),
        ("hold", 4.05, 7.05),
    ]
    assert times(call)[1] == (3.25, 3.55)
    assert call.duration == pytest.approx(7.65)


def test_a_dialogue_is_gone_through_until_the_minutes_are_full(dialogue: ModuleType) -> None:
    call = placed(dialogue, [{"Ann": "one two"}, {"Bob": "three"}], minutes=2)
    assert 120 <= call.duration < 122
    assert call.lines[2].line.text == "one two"
    assert call.lines[2].line.speed != call.lines[0].line.speed
    assert all(a.end < b.start for a, b in pairwise(call.lines))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([{"Ann": "pay 20 pounds"}], "“20”: write numbers as they are spoken"),
        ([{"Ann": "well — no"}], "“—” is no word"),
        ([{"Ann": True}], "quotation marks"),
        ([{"Eve": "hello"}], "start a line with the name"),
        ([{"Ann": "one two", "cut": "three"}], "cut after “three”"),
        ([{"Ann": "one", "backchannel": 1.0}], "a backchannel needs a line before it"),
        ([{"Ann": "one two"}, {"Ann": "three", "gap": -0.1}], "Ann is still speaking"),
    ],
)
def test_a_dialogue_that_cannot_be_spoken_says_why(
    dialogue: ModuleType, lines: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(dialogue.DialogueError, match=complaint):
        placed(dialogue, lines)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"format": "mp3"}, "format is one of"),
        ({"noise": "street"}, "noise is one of"),
        ({"channels": 3}, "channels is one of"),
        ({"channels": 2}, "Ann needs a channel from 1 to 2"),
    ],
)
def test_a_dialogue_with_a_setting_that_is_not_known_says_which(
    dialogue: ModuleType, setting: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(dialogue.DialogueError, match=complaint):
        dialogue.parse_dialogue({**MADE, **setting})


# How word times come out of phoneme durations and silences.


@pytest.fixture
def kokoro(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("synthesis.kokoro")


def test_phonemes_run_together_are_shared_out_to_their_words(kokoro: ModuleType) -> None:
    alone = ["aim", "ei", "bit", "aut", "ov", "dhe", "luup,", "won", "ov", "dhe", "cards."]
    together = "aim e bit autev dhe luup, wun ovdhe cards."
    shares = ["aim", "e", "bit", "aut", "ev", "dhe", "luup,", "wun", "ov", "dhe", "cards."]
    assert kokoro.shared_out(together, alone) == shares


def spans(
    kokoro: ModuleType, phonemes: list[str], frames: list[int], silent: Any
) -> list[tuple[float, float]]:
    edges = np.concatenate([[0.0], np.cumsum(frames) * kokoro.FRAME_S])
    return [(round(start, 6), round(end, 6)) for start, end in kokoro.word_spans(phonemes, edges, silent)]


def test_words_without_a_pause_meet_in_the_middle_of_their_space(kokoro: ModuleType) -> None:
    # pad 0-0.25, a 0.25-0.5, space 0.5-0.55, b 0.55-0.8, pad; all heard 0.035 s earlier.
    assert spans(kokoro, ["a", "b"], [10, 10, 2, 10, 2], [(0.0, 0.22), (0.76, 0.85)]) == [
        (0.22, 0.49),
        (0.49, 0.76),
    ]


def test_a_pause_lies_between_words_and_not_before_the_short_word_it_follows(kokoro: ModuleType) -> None:
    # The model counts most of the pause after “b.” as part of b.
    frames = [10, 10, 2, 12, 2, 2, 10, 2]
    silent = [(0.0, 0.22), (0.62, 0.9), (1.15, 1.25)]
    assert spans(kokoro, ["a", "b.", "c"], frames, silent) == [(0.22, 0.49), (0.49, 0.62), (0.9, 1.15)]


@pytest.mark.parametrize("suffix", [".opus", ".flac"])
def test_encoding_keeps_every_sound_at_its_time_and_is_repeatable(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    telephone = importlib.import_module("synthesis.telephone")
    samples = np.zeros((1, 3 * RATE), dtype=np.float32)
    samples[0, RATE : RATE + 800] = telephone.beep(0.1)
    files = [tmp_path / f"{n}{suffix}" for n in range(2)]
    for file in files:
        telephone.encode(samples, file)
    assert files[0].read_bytes() == files[1].read_bytes()
    heard = decoded(files[0])[0]
    loud = np.flatnonzero(np.abs(heard) > 0.05) / RATE
    assert len(heard) == pytest.approx(3 * RATE, abs=8)
    assert (loud[0], loud[-1]) == (pytest.approx(1.0, abs=0.005), pytest.approx(1.1, abs=0.005))
