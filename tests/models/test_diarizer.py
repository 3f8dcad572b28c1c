"""Who speaks when, told by the real models: two voices are two, one voice is one."""

import shutil
from collections.abc import Callable
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from pyannote.audio.pipelines import SpeakerDiarization
from sample_calls import SAMPLE_CALLS, Processed, samples_of

from models.bundle import locate, models_dir
from models.catalogue import load_catalogue
from models.diarizer import COMMUNITY_1, Diarizer
from models.errors import ModelDamaged
from models.loaded import LoadedModels
from models.speech import SAMPLE_RATE, VOICE_FRAME_S, Diarization, Interval

STEP_S = 0.02


@pytest.fixture(scope="module")
def diarizer(loaded: LoadedModels) -> Diarizer:
    return loaded.diarizer


def speakers_of(diarization: Diarization) -> set[str]:
    return {span.speaker for span in diarization.spans}


def who(spans: list[tuple[Interval, str]], duration: float) -> list[frozenset[str]]:
    """Who speaks at each step of time."""
    moments = np.arange(0.0, duration, STEP_S)
    return [frozenset(name for span, name in spans if span.start <= t < span.end) for t in moments]


def agreement(first: list[frozenset[str]], second: list[frozenset[str]]) -> float:
    """Share of the time in which both say the same, under the best renaming of the second's speakers."""
    names, others = (sorted({name for at in each for name in at}) for each in (first, second))
    names += [f"nobody {i}" for i in range(len(others))]
    renamings = [dict(zip(others, chosen, strict=True)) for chosen in permutations(names, len(others))]
    return max(
        sum(a == {renaming[name] for name in b} for a, b in zip(first, second, strict=True)) / len(first)
        for renaming in renamings
    )


def exclusively(diarization: Diarization, duration: float) -> list[frozenset[str]]:
    return who([(span, span.speaker) for span in diarization.exclusive], duration)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["card_dispute", "blood_pressure_review"])
def test_two_voices_are_told_apart(processed: Callable[[str], Processed], name: str) -> None:
    found = processed(name).diarization
    call = SAMPLE_CALLS[name]
    assert len(speakers_of(found)) == 2
    truth = who([(word, word.speaker) for word in call.words], call.duration)
    told = exclusively(found, call.duration)
    spoken = [(a, b) for a, b in zip(truth, told, strict=True) if len(a) == 1]
    assert agreement(*(list(side) for side in zip(*spoken, strict=True))) > 0.9


@pytest.mark.slow
def test_of_a_diarizations_exclusive_spans_no_two_overlap_and_all_lie_in_the_call(
    processed: Callable[[str], Processed],
) -> None:
    found = processed("late_parcel").diarization
    spans = sorted(found.exclusive, key=lambda span: span.start)
    assert all(before.end <= after.start + 1e-6 for before, after in pairwise(spans))
    duration = processed("late_parcel").call.audio.duration
    assert all(0.0 <= span.start < span.end <= duration for span in (*spans, *found.spans))


@pytest.mark.slow
def test_where_two_are_expected_it_is_said_how_many_were_found(processed: Callable[[str], Processed]) -> None:
    assert processed("voicemail").diarization.found == 1
    assert processed("card_dispute").diarization.found == 2


@pytest.mark.slow
def test_a_diarization_comes_with_the_voice_of_the_whole_call(processed: Callable[[str], Processed]) -> None:
    for name in ("voicemail", "card_dispute"):
        found = processed(name)
        assert found.diarization.voice is not None
        heard_s = len(found.diarization.voice.frames) * VOICE_FRAME_S
        assert heard_s == pytest.approx(found.call.audio.duration, abs=VOICE_FRAME_S)


@pytest.mark.slow
def test_as_many_speakers_are_found_as_are_known_to_speak(diarizer: Diarizer) -> None:
    samples = samples_of("late_parcel")[: 18 * SAMPLE_RATE]
    counts = [len(speakers_of(diarizer.diarize(samples, known))) for known in (1, 2)]
    assert counts == [1, 2]


@pytest.mark.parametrize("known", [3, 5])
def test_of_more_speakers_than_a_short_recording_shows_those_that_it_shows_are_found(
    diarizer: Diarizer, known: int
) -> None:
    begins = int(SAMPLE_CALLS["card_dispute"].words[0].start * SAMPLE_RATE)
    samples = samples_of("card_dispute")[begins : begins + 9 * SAMPLE_RATE]
    assert len(speakers_of(diarizer.diarize(samples, known))) == 2


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_in_silence_nobody_speaks(diarizer: Diarizer, seconds: float) -> None:
    silence = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    assert diarizer.diarize(silence, expected=2) == Diarization((), (), found=0, voice=None)


def test_the_voice_of_a_call_is_not_kept_for_the_next_one(diarizer: Diarizer) -> None:
    spoken = samples_of("voicemail")[2 * SAMPLE_RATE : 4 * SAMPLE_RATE]
    assert diarizer.diarize(spoken, expected=2).voice is not None
    assert diarizer.diarize(np.zeros(SAMPLE_RATE, np.float32), expected=2).voice is None


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 3.0])
def test_in_a_short_recording_one_speaks_and_not_beyond_its_end(diarizer: Diarizer, seconds: float) -> None:
    word = SAMPLE_CALLS["voicemail"].words[0]
    samples = samples_of("voicemail")[int(word.start * SAMPLE_RATE) :][: int(seconds * SAMPLE_RATE)]
    found = diarizer.diarize(samples, expected=2)
    assert len(speakers_of(found)) == found.found == 1
    assert all(0.0 <= span.start < span.end <= seconds for span in (*found.spans, *found.exclusive))


@pytest.mark.slow
def test_embeddings_pooled_from_frames_give_the_diarization_of_pyannotes_own_pipeline(
    diarizer: Diarizer,
) -> None:
    catalogue, folder = load_catalogue(), models_dir()
    parts = {model.role: locate(model, folder) for model in catalogue.profile("tiny").models}
    files = {role: str(next(iter(part.files.values()))) for role, part in parts.items()}
    stock = SpeakerDiarization(
        segmentation=files["segmentation"],
        embedding=files["embedding"],
        plda=str(parts["plda"].path),
        clustering="VBxClustering",
        embedding_exclude_overlap=True,
        segmentation_batch_size=32,
    )
    stock.instantiate(COMMUNITY_1)
    samples = samples_of("card_dispute")[: 32 * SAMPLE_RATE]
    ours = exclusively(diarizer.diarize(samples), 32.0)
    audio = {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE}
    spoken = stock(audio).exclusive_speaker_diarization.itertracks(yield_label=True)
    theirs = who([(Interval(span.start, span.end), speaker) for span, _, speaker in spoken], 32.0)
    assert len({name for at in ours for name in at}) == 2
    assert agreement(ours, theirs) > 0.97


def community_folder(folder: Path, embedding: str) -> None:
    """Lay out a pipeline as community-1 is: a `config.yaml` that names its parts by their place in it."""
    catalogue, models = load_catalogue(), models_dir()
    parts = {model.role: locate(model, models) for model in catalogue.profile("tiny").models}
    (folder / "segmentation").mkdir()
    shutil.copy(parts["segmentation"].files["pytorch_model.bin"], folder / "segmentation")
    shutil.copy(next(iter(parts["embedding"].files.values())), folder / "wespeaker.onnx")
    shutil.copytree(parts["plda"].path, folder / "plda")
    (folder / "config.yaml").write_text(
        "dependencies:\n  pyannote.audio: 4.0.0\n"
        "pipeline:\n  name: pyannote.audio.pipelines.SpeakerDiarization\n  params:\n"
        "    clustering: VBxClustering\n    embedding_exclude_overlap: true\n"
        "    segmentation: $model/segmentation\n    plda: $model/plda\n"
        f"    embedding: {embedding}\n"
        "params:\n  clustering:\n    threshold: 0.6\n    Fa: 0.07\n    Fb: 0.8\n"
        "  segmentation:\n    min_duration_off: 0.0\n"
    )


@pytest.mark.slow
def test_a_pipeline_in_a_folder_is_loaded_as_the_hub_publishes_it_and_without_the_hub(
    diarizer: Diarizer, tmp_path: Path
) -> None:
    community_folder(tmp_path, embedding=str(tmp_path / "wespeaker.onnx"))
    samples = samples_of("card_dispute")[: 16 * SAMPLE_RATE]
    ours = exclusively(diarizer.diarize(samples, expected=2), 16.0)
    theirs = exclusively(Diarizer.from_folder(tmp_path).diarize(samples, expected=2), 16.0)
    assert agreement(ours, theirs) > 0.97


def test_a_pipeline_whose_embeddings_are_another_networks_is_refused(
    loaded: LoadedModels,  # noqa: ARG001 - says what to do where there are no models
    tmp_path: Path,
) -> None:
    community_folder(tmp_path, embedding="$model/segmentation")
    with pytest.raises(ModelDamaged, match="is not a WeSpeaker ResNet"):
        Diarizer.from_folder(tmp_path)
