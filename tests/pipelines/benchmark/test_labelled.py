"""Recordings find their references, wherever the usual layouts put them."""

from pathlib import Path

import numpy as np
import pytest
from made_audio import wav_bytes

from models.errors import UsageError
from pipelines.benchmark.labelled import LabelledCalls, find_labelled

REFERENCES = {
    ".stm": "{0} 1 agent 0.0 2.0 hello there\n",
    ".rttm": "SPEAKER {0} 1 0.0 2.0 <NA> <NA> agent <NA> <NA>\n",
    ".tsv": "agent\thello there\n",
}


def record(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # No two recordings have the same bytes.
    samples = np.full((1, 800), (hash(str(path)) % 1000) / 2000, np.float32)
    path.write_bytes(wav_bytes(samples, 8000))
    return path


def label(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(REFERENCES[path.suffix].format(path.stem))
    return path


def names(found: LabelledCalls) -> dict[str, str]:
    return {call.name: call.folder for call in found.calls}


@pytest.mark.parametrize(
    ("recording", "reference"),
    [
        ("calls/a.wav", "calls/a.stm"),
        ("calls/a.wav", "calls/reference/a.stm"),
        ("calls/a.wav", "calls/truth/a.stm"),
        ("calls/audio/a.wav", "calls/reference/a.stm"),
        ("calls/a.wav", "reference/a.stm"),
        ("calls/2024/may/a.wav", "calls/references/a.stm"),
    ],
)
def test_a_reference_is_beside_its_recording_or_in_a_folder_of_that_name(
    tmp_path: Path, recording: str, reference: str
) -> None:
    record(tmp_path / recording)
    label(tmp_path / reference)
    [call] = find_labelled([tmp_path / "calls"]).calls
    assert call.reference.call == call.name
    assert [word.text for word in call.reference.words or ()] == ["hello", "there"]


def test_a_list_named_reference_serves_all_recordings_of_its_folder_and_below(tmp_path: Path) -> None:
    for language in ("en", "es"):
        record(tmp_path / "prompts" / language / "audio" / "hello.wav")
        (tmp_path / "prompts" / language / "reference.tsv").write_text(f"hello.wav\tsaid in {language}\n")
    found = find_labelled([tmp_path / "prompts"])
    assert names(found) == {"en/audio/hello.wav": "en", "es/audio/hello.wav": "es"}
    said = {call.folder: " ".join(w.text for w in call.reference.words or ()) for call in found.calls}
    assert said == {"en": "said in en", "es": "said in es"}


def test_several_folders_are_told_apart_by_what_their_paths_do_not_share(tmp_path: Path) -> None:
    for folder in ("mono", "stereo"):
        record(tmp_path / "calls" / folder / "a.wav")
    label(tmp_path / "calls" / "reference" / "a.stm")
    found = find_labelled([tmp_path / "calls" / "mono", tmp_path / "calls" / "stereo"])
    assert names(found) == {"mono/a.wav": "mono", "stereo/a.wav": "stereo"}
    [call] = find_labelled([tmp_path / "calls" / "mono"]).calls
    assert (call.name, call.folder, call.reference.facts["folder"]) == ("a.wav", "mono", "mono")


def test_single_recordings_may_be_named_too_and_each_counts_once(tmp_path: Path) -> None:
    recording = record(tmp_path / "calls" / "mono" / "a.wav")
    record(tmp_path / "calls" / "mono" / "b.wav")
    label(tmp_path / "calls" / "reference" / "a.stm")
    found = find_labelled([recording, recording])
    assert names(found) == {"a.wav": "mono"}


def test_words_and_speech_of_one_call_may_be_in_two_files(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    label(tmp_path / "reference" / "a.tsv")
    label(tmp_path / "reference" / "a.rttm")
    [call] = find_labelled([tmp_path]).calls
    assert call.reference.words
    assert call.reference.speech


def test_references_that_are_given_are_the_only_ones(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    record(tmp_path / "b.wav")
    label(tmp_path / "b.stm")
    found = find_labelled([tmp_path], [label(tmp_path / "elsewhere" / "a.stm")])
    assert (list(names(found)), found.without_reference) == (["a.wav"], ("b.wav",))


def test_json_beside_a_recording_is_its_metadata_whose_number_of_speakers_is_forgotten(
    tmp_path: Path,
) -> None:
    record(tmp_path / "a.wav")
    label(tmp_path / "a.stm")
    (tmp_path / "a.json").write_text('{"speakers": 2, "language": "en", "kind": "consultation"}')
    [call] = find_labelled([tmp_path]).calls
    metadata = call.recording.metadata
    assert (metadata.speakers, metadata.language, metadata.kind) == (None, "en", "consultation")


def test_a_recording_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    (tmp_path / "b.wav").touch()
    label(tmp_path / "a.stm")
    label(tmp_path / "b.stm")
    found = find_labelled([tmp_path])
    assert list(names(found)) == ["a.wav"]
    assert "is empty" in str(found.unreadable["b.wav"])


def test_without_any_reference_there_is_nothing_to_do(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    with pytest.raises(UsageError, match=r"has a reference\. Put NAME.stm beside NAME.wav"):
        find_labelled([tmp_path])


def test_the_corpus_is_found_as_it_lies(corpus: Path) -> None:
    counts = {
        folder: len(find_labelled([corpus / folder]).calls)
        for folder in ("bank_calls", "consultations", "meetings", "read_speech_en", "telephone_prompts")
    }
    assert counts["bank_calls"] == 12
    assert (counts["consultations"], counts["meetings"], counts["read_speech_en"]) == (3, 7, 30)
    assert counts["telephone_prompts"] > 10
