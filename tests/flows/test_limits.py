"""Limits of a worker: as long as its run, as much memory as it may have, as much time as a call is worth."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flows.limits import (
    LEAST_MEMORY,
    MEMORY_SPENT,
    TIME_FACTOR,
    TIME_FLOOR_S,
    TIME_SPENT,
    Limits,
    memory_each,
    time_limit,
)

ROOT = Path(__file__).parents[2]


def ended(program: str, descriptor: int | None = None) -> int:
    """The status of a process that runs a program."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=False,
        timeout=400,
        pass_fds=[] if descriptor is None else [descriptor],
    ).returncode


def test_a_call_has_time_by_its_length_or_by_its_bytes_or_as_much_as_is_said() -> None:
    assert Limits().seconds(60.0, 10**9) == TIME_FLOOR_S + 60 * TIME_FACTOR
    assert Limits().seconds(None, 60_000) == TIME_FLOOR_S + 60 * TIME_FACTOR
    assert Limits().seconds(0.0, 0) == TIME_FLOOR_S
    assert Limits(20.0).seconds(3600.0, 10**9) == 20.0


@pytest.mark.parametrize(
    "hanging", ["import time; time.sleep(300)", "import re; re.match('(a+)+$', 'a' * 64 + 'b')"]
)
def test_what_takes_too_long_is_ended_even_where_no_other_thread_can_run(hanging: str) -> None:
    program = f"from flows.limits import time_limit\nwith time_limit(0.5):\n    {hanging}"
    assert ended(program) == TIME_SPENT


def test_what_is_done_in_time_goes_on() -> None:
    with time_limit(30.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_process_that_takes_more_memory_than_it_may_ends_with_a_status_of_its_own() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = (
            "import time; from flows.limits import watch\n"
            f"watch({theirs.fileno()}, 200_000_000)\n"
            "taken = [bytes([1]) * 50_000_000 for _ in range(10)]\n"
            "time.sleep(300)"
        )
        assert ended(program, theirs.fileno()) == MEMORY_SPENT


def test_a_process_ends_when_the_one_that_it_works_for_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        program = (
            f"import time; from flows.limits import watch; watch({theirs.fileno()}, None); time.sleep(300)"
        )
        assert ended(program, theirs.fileno()) == -signal.SIGKILL


def test_workers_share_the_memory_of_the_machine_and_each_has_enough_for_models() -> None:
    assert memory_each(1) >= memory_each(2) >= memory_each(1000) == LEAST_MEMORY
