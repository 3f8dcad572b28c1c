"""Where nobody speaks there are no words: real noise, clicks, a tone, silence."""

from pathlib import Path

import pytest
from sample_calls import ROOT

from models.loaded import LoadedModels
from pipelines.call import process
from pipelines.failures import NoSpeech
from pipelines.invariants import check_call
from pipelines.recording import identify
from pipelines.rows import rows_of
from pipelines.settings import CallSettings
from pipelines.sources import Source

CORPUS = ROOT.parent / "shared" / "corpus"
PROVENANCE = {"profile": "tiny", "models": {"m": "ab" * 32}, "settings_sha256": "cd" * 32, "run_id": "run-1"}

WITHOUT_SPEECH = [
    *sorted((CORPUS / "noise").glob("*.wav")),
    *sorted((CORPUS / "odd_inputs").glob("silence*.wav")),
    *sorted((CORPUS / "odd_inputs").glob("tone*.wav")),
]


@pytest.mark.slow
@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("path", WITHOUT_SPEECH, ids=lambda path: path.stem)
def test_a_recording_without_speech_has_no_words(loaded: LoadedModels, path: Path) -> None:
    try:
        call = process(identify(Source(path)), loaded, CallSettings())
    except NoSpeech:
        return
    assert [word.text for word in call.words] == []
    check_call(rows_of(call, PROVENANCE))


@pytest.mark.usefixtures("corpus")
def test_noise_clicks_a_tone_and_silence_are_there_to_be_heard() -> None:
    assert len(WITHOUT_SPEECH) >= 13
