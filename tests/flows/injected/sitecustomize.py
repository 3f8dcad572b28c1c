"""What tests put below worker processes: a trace of what they do, and recordings that are their end.

Python imports a module of this name when it starts, if it is on its path. With CALLFOLIO_TEST_TRACE, a
file, each recording that is begun and each call that is committed has a line in it, and so have the seconds
that its rows took. With CALLFOLIO_TEST_STUB, nothing is heard: rows are made up from the bytes of a
recording, in as many seconds as that says.
"""

import importlib.abc
import importlib.machinery
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def note(*words: object) -> None:
    descriptor = os.open(os.environ["CALLFOLIO_TEST_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    os.close(descriptor)


def trace_begin(call: Any) -> None:
    decode = call.decode

    def traced(path: Path) -> Any:
        note("begin", path.name)
        return decode(path)

    call.decode = traced


def trace_commit(store: Any) -> None:
    write_call = store.Store.write_call

    def traced(self: Any, rows: Any, instead_of: Any = None) -> bool:
        began = time.monotonic()
        written: bool = write_call(self, rows, instead_of)
        note("commit", Path(rows.call["source"]).name)
        note("stored", time.monotonic() - began)
        return written

    store.Store.write_call = traced


def poison(name: str) -> None:
    """End as the recording of this name ends whoever works on it."""
    if name.startswith("hang"):
        # A search that takes for ever and lets no other thread of Python run.
        re.match(r"(a+)+$", "a" * 64 + "b")
    elif name.startswith("eat"):
        eaten = []
        while True:
            eaten.append(bytearray(os.urandom(1 << 20)) * 16)
    elif name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name.startswith("fail"):
        raise RuntimeError("nobody foresaw this")


def full_after(calls: int, root: Path) -> None:
    """From so many calls on, no file of the store gets a byte more."""
    if len(list((root / "tables" / "calls").glob("*/*"))) >= calls:
        import errno

        def full(fd: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fd)

        os.fsync = full


def stub(worker: Any) -> None:
    # Here, as what it takes to import them is not to be a call's time.
    from made_rows import made_call

    from pipelines.ledger import Ledger
    from pipelines.store import Store

    class Stub(worker.Worker):  # type: ignore[misc]
        def __init__(self, assignment: Any) -> None:
            if os.environ["CALLFOLIO_TEST_STUB"] == "stillborn":
                os._exit(88)
            self._assignment = assignment
            self._store = Store(assignment.store)
            self._ledger = Ledger(self._store.root, back_off_s=assignment.back_off_s)

        def _process(self, recording: Any, claim: Any, tell: Callable[[object], None]) -> Any:
            from dataclasses import replace

            from pipelines.restating import restated

            note("begin", recording.path.name)
            tell(worker.StageBegun(recording.source, "decode"))
            time.sleep(float(os.environ["CALLFOLIO_TEST_STUB"]))
            poison(recording.path.name)
            with worker.at_hand(recording) as here:
                heard = here.path.read_text()
            if "CALLFOLIO_TEST_FULL_AFTER" in os.environ:
                full_after(int(os.environ["CALLFOLIO_TEST_FULL_AFTER"]), self._store.root)
            rows = restated(made_call(heard), recording.metadata)
            language = recording.metadata.language or "en"
            call = {
                **rows.call,
                "language": language,
                **self._assignment.provenance,
                "source": recording.source,
            }
            if not self._ledger.beat(claim):
                return worker.Outcome(recording.source, recording.size, 0.0, None, worker.Refusal("held"))
            self._store.write_call(replace(rows, call=call))
            self._ledger.finish(claim)
            return worker.Outcome(recording.source, recording.size, 1.0, None)

        def _judged_anew(self, rows: Any, reread: bool) -> Any:
            note("reread" if reread else "restate", Path(rows.call["source"]).name)
            poison(rows.call["metadata"].get("poison", ""))
            return rows

    worker.Worker = Stub
    sys.modules["pipelines.call"] = ModuleType("pipelines.call")


class Injector(importlib.abc.MetaPathFinder):
    """Changes modules as they are imported."""

    def __init__(self, changes: dict[str, Callable[[Any], None]]) -> None:
        self._changes = changes

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = self._changes.pop(name, None)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def changed(module: ModuleType) -> None:
            execute(module)
            change(module)

        spec.loader.exec_module = changed  # type: ignore[method-assign]
        return spec


if "CALLFOLIO_TEST_TRACE" in os.environ:
    sys.meta_path.insert(0, Injector({"pipelines.call": trace_begin, "pipelines.store": trace_commit}))
if "CALLFOLIO_TEST_STUB" in os.environ:
    sys.meta_path.insert(0, Injector({"flows.worker": stub}))
