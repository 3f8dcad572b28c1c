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
from pipelines.benchmark.processes import OURS, THEIRS, Setup, SystemName, SystemProcess
from pipelines.benchmark.systems import Callfolio, WhisperX, remembering
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


@pytest.mark.slow
def test_whisperx_hears_words_with_times_and_speakers_and_each_stage_is_timed(
    selection: Selection, recording: Recording
) -> None:
    system = WhisperX(selection, 2, None)
    heard = system(recording, CallSettings())
    words = heard.document.words or ()
    assert word_error(truth(), " ".join(word.text for word in words)) < 0.35
    assert all(word.start is not None and word.end is not None for word in words)
    assert all(0.0 <= (word.start or 0.0) <= (word.end or 0.0) <= SECONDS for word in words)
    assert {word.speaker for word in words} <= {span.speaker for span in heard.document.speech or ()} | {
        "UNKNOWN"
    }
    assert set(heard.stage_s) == {"decode", "vad", "transcribe", "word times", "diarize", "attribute"}
    assert sum(heard.stage_s.values()) == pytest.approx(heard.seconds, rel=0.05)
    assert system.settings["batch size"] in ("8", "16")


@pytest.mark.slow
def test_whisperx_may_hear_nothing(selection: Selection, tmp_path: Path) -> None:
    silent = recorded(tmp_path / "a.wav", np.zeros(10 * SAMPLE_RATE, np.float32))
    heard = WhisperX(selection, 2, None)(silent, CallSettings())
    assert (heard.document.words, heard.document.speech) == ((), ())


@pytest.mark.slow
def test_where_our_path_finds_no_speech_its_answer_is_no_words(selection: Selection, tmp_path: Path) -> None:
    silent = recorded(tmp_path / "a.wav", np.zeros(10 * SAMPLE_RATE, np.float32))
    heard = Callfolio(selection, 2)(silent, CallSettings())
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
    made = remembering(LoadedModels(model, model, None))  # type: ignore[arg-type]
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
@pytest.mark.parametrize("name", [OURS, THEIRS])
def test_each_system_has_a_process_whose_memory_is_told(
    selection: Selection, recording: Recording, name: SystemName, tmp_path: Path
) -> None:
    with SystemProcess(Setup(name, selection, 2)) as system:
        assert system.settings()["device"] in ("cpu", "cuda")
        heard = system.hear(recording, CallSettings())
        torn = tmp_path / "torn.wav"
        torn.write_bytes(b"no recording at all")
        refused = system.hear(identify(Source(torn)), CallSettings())
        again = system.hear(recording, CallSettings())
    assert not isinstance(heard, str)
    assert heard.document.words
    assert heard.peak_bytes > 2**28
    assert isinstance(refused, str)
    assert "torn.wav" in refused
    assert not isinstance(again, str)
    assert again.document == heard.document
