"""The clock of a call: which stage it is in, for progress bars, and how long each took."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, Self, TypeVar

Hook = Callable[[str], None]
"""Called with the name of each stage as it begins."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Stages:
    """Times the stages of one call. As a context, it is left when all stages have ended."""

    def __init__(self, hook: Hook | None = None) -> None:
        """`hook` is called as each stage begins."""
        self.seconds: dict[str, float] = {}
        self._hook = hook or (lambda _: None)
        self._beside = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.shutdown()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what is done within, under `name`."""
        self._hook(name)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started

    def beside(self, name: str, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Begin a stage that runs beside those that follow; the future has what `step` returns."""

        def timed() -> _T:
            with self(name):
                return step(*args, **kwargs)

        return self._beside.submit(timed)
