"""SIGTERM, by which services, schedulers and clusters end a process: as Ctrl-C, with a status of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self

FOR_THE_RUN: Final = frozenset({signal.SIGINT, signal.SIGTERM})
"""Signals that reach every process of a terminal or of a service, and that the one which started the others
answers: it ends them."""

TERMINATED = 128 + signal.SIGTERM
"""Exit status of a command that SIGTERM ended, as shells have it."""


class Termination:
    """Turns the first SIGTERM into what Ctrl-C does here, while it is open as a context.

    A second one ends the process at once, as it would without this.
    """

    def __init__(self) -> None:
        """Nothing is changed before the context is entered."""
        self.came = False
        self._before: signal.Handlers | object = None
        self._listening = False

    def __enter__(self) -> Self:
        """Listen, where there is a way: only the main thread hears signals."""
        self.came = False
        self._listening = threading.current_thread() is threading.main_thread()
        if self._listening:
            self._before = signal.signal(signal.SIGTERM, self.heard)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave SIGTERM to whoever had it before."""
        if self._listening:
            self._listening = False
            signal.signal(signal.SIGTERM, self._before)  # type: ignore[arg-type]

    def listen_again(self) -> None:
        """Take SIGTERM back from a library that took it, where this context is open."""
        if self._listening and not self.came:
            signal.signal(signal.SIGTERM, self.heard)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let no SIGTERM cut short what this command does at its end, where it is a run that Prefect started:
        the service and Prefect each send one."""
        if self._listening or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def insist(self) -> None:
        """Raise again what SIGTERM raised, where that was dropped, as some extensions do in their import."""
        if self._listening and self.came:
            raise KeyboardInterrupt

    def heard(self, number: int, frame: FrameType | None) -> None:
        """What is done on SIGTERM."""
        if self.came:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.came = True
        interrupt = signal.getsignal(signal.SIGINT)
        # Shells have what they start in the background ignore Ctrl-C; this is another matter.
        if callable(interrupt):
            interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt


TERMINATION = Termination()
"""That of this process's command line."""


def interruption_behind(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    """The KeyboardInterrupt, or what else of `kinds`, that `error` is or comes of.

    Libraries that are interrupted may raise something else: DuckDB a RuntimeError, and Prefect whatever it
    stumbles over while it writes down that it was interrupted.
    """
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, (KeyboardInterrupt, *kinds)):
        behind = behind.__cause__ or behind.__context__
    return behind
