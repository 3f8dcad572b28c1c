"""`kill -9` at random moments: the store ends as if nothing had happened. `make kill-test` kills more."""

import random
from pathlib import Path

import pytest
from killing import Batch, begun_after_commit, kill_at_random, make_calls

pytestmark = pytest.mark.slow


def test_killed_anywhere_the_store_ends_as_that_of_an_undisturbed_run(
    tmp_path: Path,
    loaded: object,  # noqa: ARG001 - says what to do where there are no models
) -> None:
    make_calls(tmp_path / "calls", 6)
    seed = random.randrange(1 << 32)
    assert kill_at_random(Batch(tmp_path), moments=3, seed=seed) == [], f"seed {seed}"


def test_a_trace_shows_what_was_begun_after_it_was_committed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("begin a\nbegin b\nbegin b\ncommit a\ncommit b\nbegin a\ncommit a\n")
    assert begun_after_commit(trace) == ["a"]
