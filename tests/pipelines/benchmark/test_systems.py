"""Each system hears a recording, and says what it took."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from made_audio import wav_bytes
from sample_calls import SAMPLE_CALLS, samples_of, word_error

from models.bundle import models_dir
from models.catalogue import load_catalogue
from models.loaded import LoadedModels
from models.selection import Selection, select
from models.speech import SAMPLE_RATE, Samples
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.processes import OURS, Setup, SystemProcess
from pipelines.benchmark.systems import WhisperX, remembering
from pipelines.call import process
from pipelines.recording import Recording, identify
from pipelines.settings import CallSettings
from pipelines.sources import Source

SECONDS = 20


def recorded(path: Path, samples: Samples) -> Recording:
    path.write_bytes(wav_bytes(np.atleast_2d(samples), SAMPLE_RATE))
    return identify(Source(path))


@pytest.fixture(scope="module")
def selection(loaded: LoadedModels) -> Selection:
    assert loaded
    return select(load_catalogue(), "tiny", {}, models_dir())


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The first seconds of a call of two."""
    return recorded(
        tmp_path_factory.mktemp("calls") / "a.wav", samples_of("card_dispute")[: SECONDS * SAMPLE_RATE]
    )


def truth() -> str:
    return " ".join(word.word for word in SAMPLE_CALLS["card_dispute"].words if word.end <= SECONDS)


@pytest.fixture(scope="module")
def whisperx(selection: Selection) -> WhisperX:
    return WhisperX(selection, 2, None)


@pytest.mark.slow
def test_whisperx_hears_words_with_times_and_speakers_and_each_stage_is_timed(
    whisperx: WhisperX, recording: Recording
) -> None:
    heard = whisperx(recording, CallSettings())
    words = heard.document.words or ()
    assert word_error(truth(), " ".join(word.text for word in words)) < 0.35
    assert all(word.start is not None and word.end is not None for word in words)
    assert all(0.0 <= (word.start or 0.0) <= (word.end or 0.0) <= SECONDS for word in words)
    assert {word.speaker for word in words} <= {span.speaker for span in heard.document.speech or ()} | {
        "UNKNOWN"
    }
    assert set(heard.stage_s) == {"decode", "vad", "transcribe", "word times", "diarize", "attribute"}
    assert sum(heard.stage_s.values()) == pytest.approx(heard.seconds, rel=0.05)
    assert whisperx.settings["batch size"] in ("8", "16")


@pytest.mark.slow
def test_whisperx_may_hear_nothing(whisperx: WhisperX, tmp_path: Path) -> None:
    silent = recorded(tmp_path / "a.wav", np.zeros(10 * SAMPLE_RATE, np.float32))
    heard = whisperx(silent, CallSettings())
    assert (heard.document.words, heard.document.speech) == ((), ())


@dataclass
class Counting:
    """Counts what it is asked."""

    asked: int = 0

    def decode(self, samples: Samples, speakers: int | None = None) -> int:
        self.asked += 1
        return len(samples) + (speakers or 0)


def test_a_model_that_remembers_computes_what_it_was_not_asked_before() -> None:
    model = Counting()
    made = remembering(LoadedModels(model, model, None, None, None, None))  # type: ignore[arg-type]
    ones, zeros = np.ones(5000, np.float32), np.zeros(5000, np.float32)
    recogniser: Counting = made.recogniser  # type: ignore[assignment]
    assert [recogniser.decode(ones), recogniser.decode(ones.copy()), model.asked] == [5000, 5000, 1]
    assert [recogniser.decode(zeros), recogniser.decode(ones, speakers=2), model.asked] == [5000, 5002, 3]
    changed = ones.copy()
    changed[2500] = 0.5
    recogniser.decode(changed)
    assert model.asked == 4
    assert made.aligner is None


@pytest.mark.slow
def test_a_path_that_remembers_hears_the_same(loaded: LoadedModels, recording: Recording) -> None:
    plain = process(recording, loaded, CallSettings())
    models = remembering(loaded)
    again = [process(recording, models, CallSettings()) for _ in range(2)]
    assert [call.turns for call in again] == [plain.turns, plain.turns]
    assert again[1].stage_s["transcribe"] < again[0].stage_s["transcribe"] / 4


@pytest.mark.slow
def test_a_system_has_a_process_which_outlives_what_it_cannot_process(
    selection: Selection, recording: Recording, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.wav"
    torn.write_bytes(b"no recording at all")
    silent = recorded(tmp_path / "silent.wav", np.zeros(10 * SAMPLE_RATE, np.float32))
    with SystemProcess(Setup(OURS, selection, 2)) as system:
        assert system.settings()["device"] in ("cpu", "cuda")
        refused = system.hear(identify(Source(torn)), CallSettings())
        nothing = system.hear(silent, CallSettings())
        heard = system.hear(recording, CallSettings())
    assert isinstance(refused, str)
    assert "torn.wav" in refused
    assert isinstance(nothing, Heard), "no speech is an answer"
    assert (nothing.document.words, nothing.document.speech) == ((), ())
    assert isinstance(heard, Heard)
    assert heard.document.words
    assert heard.peak_bytes > 2**28
