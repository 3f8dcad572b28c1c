"""Processes of a benchmark end with it."""

import time
from concurrent.futures import Future

import pytest

from models.selection import Selection
from pipelines.benchmark.processes import OURS, Setup, SystemProcess


def test_nobody_waits_for_what_is_being_heard_when_a_benchmark_is_interrupted() -> None:
    hearing: list[Future[None]] = []

    def interrupted() -> None:
        with SystemProcess(Setup(OURS, Selection("none", {}), 1)) as process:
            hearing.append(process._pool.submit(time.sleep, 1e6))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert hearing[0].done()
