"""The recordings through both systems, one at work at a time, and through ours without each lever."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from models.selection import Selection
from pipelines.benchmark.heard import Heard
from pipelines.benchmark.labelled import Labelled
from pipelines.benchmark.processes import OURS, THEIRS, Setup, SystemName, SystemProcess
from pipelines.settings import CallSettings

ALL_ON = ""
"""The name of our path with all levers on, among those without one."""

Progress = Callable[[str], None]
"""Told what is about to be done."""


@dataclass(frozen=True)
class Conditions:
    """What is the same for all: models, settings, cores for each system at its turn."""

    selection: Selection
    settings: CallSettings
    cores: int
    repeats: int = 1
    batch_size: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """A recording that one system cannot process, and why; it counts for none."""

    name: str
    by: str
    why: str


@dataclass(frozen=True)
class Contest:
    """What each system heard in each recording, in every repeat, and the recordings that are left out."""

    heard: Mapping[SystemName, Mapping[str, tuple[Heard, ...]]]
    left_out: tuple[LeftOut, ...]
    settings: Mapping[SystemName, Mapping[str, str]]
    peak_bytes: Mapping[SystemName, int]


def contest(calls: Sequence[Labelled], conditions: Conditions, progress: Progress) -> Contest:
    """Have both systems process each recording, in turns, as often as the conditions say.

    Models are loaded and have been used once before anything counts. Who goes first alternates, from
    recording to recording and from repeat to repeat. Raises what went wrong when models were loaded.
    """
    heard: dict[SystemName, dict[str, tuple[Heard, ...]]] = {OURS: {}, THEIRS: {}}
    left_out: dict[str, LeftOut] = {}
    peaks = {OURS: 0, THEIRS: 0}
    with ExitStack() as stack:
        setups = [
            Setup(name, conditions.selection, conditions.cores, conditions.batch_size) for name in heard
        ]
        systems = {setup.system: stack.enter_context(SystemProcess(setup)) for setup in setups}
        settings = {name: system.settings() for name, system in systems.items()}
        shortest = min(calls, key=lambda call: call.recording.size)
        for system in systems.values():
            system.hear(shortest.recording, conditions.settings)
        for repeat in range(conditions.repeats):
            for number, call in enumerate(calls):
                order = list(systems.items())
                for name, system in order if (number + repeat) % 2 == 0 else reversed(order):
                    if call.name in left_out:
                        continue
                    progress(f"{name}: {call.name}")
                    result = system.hear(call.recording, conditions.settings)
                    if isinstance(result, str):
                        left_out[call.name] = LeftOut(call.name, name, result)
                        continue
                    peaks[name] = max(peaks[name], result.peak_bytes)
                    heard[name][call.name] = (*heard[name].get(call.name, ()), result)
    kept = {
        name: {call: results for call, results in of_system.items() if call not in left_out}
        for name, of_system in heard.items()
    }
    return Contest(kept, tuple(left_out.values()), settings, peaks)


@dataclass(frozen=True)
class Ablation:
    """What our path heard in each recording, by the lever that was off, `ALL_ON` where none was."""

    heard: Mapping[str, Mapping[str, Heard]]
    left_out: tuple[LeftOut, ...]
    settings: Mapping[str, str]


def ablation(calls: Sequence[Labelled], conditions: Conditions, progress: Progress) -> Ablation:
    """Have our path process each recording with all levers on, and with each of them off in turn.

    What a model has answered before is not computed again. Raises what went wrong when models were loaded.
    """
    settings = conditions.settings
    variants = {
        ALL_ON: settings,
        **{name: replace(settings, levers=levers) for name, levers in settings.levers.each_off()},
    }
    heard: dict[str, dict[str, Heard]] = {name: {} for name in variants}
    left_out: list[LeftOut] = []
    setup = Setup(OURS, conditions.selection, conditions.cores, remembering=True)
    with SystemProcess(setup) as system:
        how = system.settings()
        for call in calls:
            progress(call.name)
            results = {name: system.hear(call.recording, variant) for name, variant in variants.items()}
            failures = [result for result in results.values() if isinstance(result, str)]
            if failures:
                left_out.append(LeftOut(call.name, OURS, failures[0]))
                continue
            for name, result in results.items():
                if isinstance(result, Heard):
                    heard[name][call.name] = result
    return Ablation(heard, tuple(left_out), how)
