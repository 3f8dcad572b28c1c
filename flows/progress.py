"""How far a run is: percent, speed and time left on a terminal, plain lines where there is none."""

import sys
import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from flows.worker import Outcome


@dataclass
class Tally:
    """What has become of a run's recordings so far; `restated` of those `skipped` have other metadata now."""

    processed: int = 0
    skipped: int = 0
    set_aside_before: int = 0
    elsewhere: int = 0
    left: int = 0
    settling: int = 0
    restated: int = 0
    set_aside: list[Outcome] = field(default_factory=list)
    audio_s: float = 0.0

    def count(self, outcome: Outcome) -> None:
        """Add how one recording ended."""
        if outcome.failure is None:
            self.processed += 1
            self.audio_s += outcome.duration_s
        else:
            self.set_aside.append(outcome)


class ProgressReport:
    """Shows a run's progress on stderr while it is open as a context."""

    def __init__(self) -> None:
        """Nothing is shown before the context is entered."""
        console = Console(stderr=True)
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[doing]}"),
            console=console,
            disable=not self._live,
            speed_estimate_period=600,
        )
        self._task = self._progress.add_task("starting", total=None, speed="", doing="")
        self._calls = self._done = 0
        self._bytes = self._total_bytes = 0
        self._audio_s = 0.0
        self._began: float | None = None
        self._waited = False

    def __enter__(self) -> Self:
        """Start to show."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def identified(self, done: int, total: int) -> None:
        """So many of the recordings have been identified."""
        if not self._done:
            self._progress.update(self._task, description="looking", completed=done, total=total)

    def begin(self, calls: int, total_bytes: int) -> None:
        """The recordings to process are all known; some may be done by now."""
        self._calls, self._total_bytes = calls, total_bytes
        self._progress.update(
            self._task,
            total=max(total_bytes, 1),
            completed=self._bytes,
            description=f"{self._done}/{calls} calls",
        )
        if calls and not self._live:
            print(f"{calls} recording{'s' * (calls > 1)} to process.", file=sys.stderr, flush=True)  # noqa: T201

    def doing(self, source: str, stage: str) -> None:
        """A recording has entered a stage. Time counts from the first: models are loaded by then."""
        self._began = self._began or time.monotonic()
        self._progress.update(self._task, doing=f"{stage}: {source.rsplit('/', 1)[-1][:40]}")

    def waiting(self, calls: int, seconds: float) -> None:
        """Nothing is left but recordings that are to be tried again; it is said once."""
        if not self._waited and not self._live:
            which = f"{calls} recording{'s' * (calls > 1)} that failed"
            print(f"{which}: tried again in {_clock(max(seconds, 0))}.", file=sys.stderr, flush=True)  # noqa: T201
        self._waited = True

    def tried_again(self, outcome: Outcome) -> None:
        """A recording has failed, and will be tried again."""
        if not self._live and outcome.failure is not None:
            print(  # noqa: T201
                f"{outcome.source}: {outcome.failure.reason}, will be tried again",
                file=sys.stderr,
                flush=True,
            )

    @property
    def calls(self) -> int:
        """The calls to process, as far as they are known."""
        return self._calls

    @property
    def done(self) -> int:
        """The calls of these that are done with."""
        return self._done

    @property
    def share(self) -> float:
        """Share of the bytes to process that are done with, 0 to 1."""
        return min(1.0, self._bytes / self._total_bytes) if self._total_bytes else 0.0

    @property
    def words(self) -> str:
        """How many calls are done, and how fast."""
        speed = self._audio_s / max(self.working_s, 1e-6)
        return f"{self._done} of {self._calls} calls, {speed:.1f} times as fast as real time"

    @property
    def begun(self) -> bool:
        """Whether a recording was begun."""
        return self._began is not None

    @property
    def working_s(self) -> float:
        """Seconds since the first recording was begun."""
        return time.monotonic() - self._began if self._began else 0.0

    def finished(self, outcome: Outcome) -> None:
        """A recording is done with."""
        self._done += 1
        self._calls = max(self._calls, self._done)
        self._bytes += outcome.size
        self._audio_s += outcome.duration_s
        elapsed = max(self.working_s, 1e-6)
        speed = f"{self._audio_s / elapsed:.1f}× real time"
        self._progress.update(
            self._task,
            description=f"{self._done}/{self._calls} calls",
            advance=outcome.size,
            speed=speed,
        )
        if not self._live:
            percent = 100 * self._bytes / max(self._total_bytes, 1)
            left = elapsed / max(self._bytes, 1) * (self._total_bytes - self._bytes)
            how = "done" if outcome.failure is None else f"set aside ({outcome.failure.reason})"
            print(  # noqa: T201
                f"{self._done}/{self._calls} calls · {percent:.0f} % · {speed} · {_clock(left)} left · "
                f"{outcome.source}: {how}",
                file=sys.stderr,
                flush=True,
            )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
