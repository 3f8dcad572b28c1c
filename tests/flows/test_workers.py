"""Which GPU a worker gets. How workers live and die is in `test_night.py`."""

import pytest

from flows.workers import gpu_of


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0,1", ["0", "1", "0"]), ("GPU-abc", ["GPU-abc"] * 3), ("", [None] * 3)],
)
def test_workers_take_turns_at_the_gpus_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str | None]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu_of(number) for number in range(3)] == expected
