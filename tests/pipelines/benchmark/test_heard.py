"""What a benchmark scores is what a store of the same call would be scored by."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sample_calls import SAMPLE_CALLS, Processed

from pipelines.benchmark.heard import document_of
from pipelines.evaluation import Documents
from pipelines.rows import rows_of
from pipelines.store import Store

PROVENANCE = {"profile": "tiny", "models": {"m": "ab" * 32}, "settings_sha256": "cd" * 32, "run_id": "run-1"}
ONE_CHANNEL = next(name for name, call in SAMPLE_CALLS.items() if not call.channels and call.language == "en")
TWO_CHANNELS = next(name for name, call in SAMPLE_CALLS.items() if call.channels)


@pytest.mark.slow
@pytest.mark.parametrize("name", [ONE_CHANNEL, TWO_CHANNELS])
def test_a_call_is_scored_as_its_rows_are(
    name: str, processed: Callable[[str], Processed], tmp_path: Path
) -> None:
    call = processed(name).call
    Store(tmp_path / "store").write_call(rows_of(call, PROVENANCE))
    stored = Documents([tmp_path / "store"])[name]
    heard = document_of(call, name)
    assert heard.speech == stored.speech
    assert heard.words is not None
    assert stored.words is not None
    assert [(word.text, word.speaker, word.start, word.end) for word in heard.words] == [
        (word.text, word.speaker, word.start, word.end) for word in stored.words
    ]
