"""What the operating system says of machine and process."""

import multiprocessing
import os

import numpy as np

from pipelines.benchmark.machine import peak_bytes, this_machine

LARGE = 200 * 2**20


def test_a_machine_has_a_name_cores_and_memory() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores == os.cpu_count()
    assert 2**28 < machine.memory_bytes < 2**45
    assert machine.system.startswith("Linux")


def test_a_peak_stays_when_memory_is_given_back() -> None:
    before = peak_bytes()
    held = np.ones(LARGE, np.uint8)
    during = peak_bytes()
    del held
    assert during > LARGE
    assert peak_bytes() > 0.99 * during > 0.9 * before, "the kernel counts some pages late"


def test_the_peak_of_a_process_is_not_that_of_the_one_which_started_it() -> None:
    held = np.ones(2 * LARGE, np.uint8)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(peak_bytes)
    assert held.sum() == 2 * LARGE
    assert 2**22 < peak < 2 * LARGE
