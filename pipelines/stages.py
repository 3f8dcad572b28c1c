"""The clock of a call: which stage it is in, for progress bars, and how long each took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hook = Callable[[str], None]
"""Called with the name of each stage as it begins."""


class Stages:
    """Times the stages of one call."""

    def __init__(self, hook: Hook | None = None) -> None:
        """`hook` is called as each stage begins."""
        self.seconds: dict[str, float] = {}
        self._hook = hook or (lambda _: None)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what is done within, under `name`."""
        self._hook(name)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started
