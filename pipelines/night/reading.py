"""A night's report from what a store has of it, and as files in the store."""

import json
import os
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from models.errors import UsageError
from pipelines.night.quality import FIGURES, Night
from pipelines.night.rendering import as_json, as_markdown
from pipelines.night.report import NightReport, night_report
from pipelines.query import query
from pipelines.store import Store
from pipelines.tables import Row

FOLDER: Final = "reports"
LAST: Final = "last"

_CALLS: Final = """
select call_id, call_date, review_flags, speech_s, uncovered_speech_s, speaker_count, duration_s
from calls where run_id = '{run_id}'
"""
# By date, so that only the files of these days are opened.
_CONFIDENCES: Final = """
select call_id, sum(word_confidence * word_count) / nullif(sum(word_count), 0) as word_confidence
from turns where call_date in ({dates}) group by call_id
"""


def read_report(store: Store, run_id: str = LAST) -> NightReport:
    """The report of a run that the store has, or of the last one.

    Raises UsageError where there is no such run, StoreError.
    """
    runs = store.table("runs").to_pylist(maps_as_pydicts="strict")
    chosen = [run for run in runs if run_id in (LAST, run["run_id"])]
    if not chosen:
        raise UsageError(
            f"The store {store.root} has no run {run_id}. "
            "`callfolio query 'select run_id from runs'` lists them."
        )
    return report_of(store, chosen[-1])


def report_of(store: Store, run: Row) -> NightReport:
    """The report of a run by its row of `runs`, beside the nights whose reports are filed.

    Raises StoreError.
    """
    failures = [row for row in store.failures() if row["run_id"] == run["run_id"]]
    return night_report(run, _calls(store, run["run_id"]), failures, nights_filed(store.root))


def file_report(report: NightReport, root: Path) -> Path:
    """Write a report into the store at `root` and return the path of the Markdown; the JSON lies beside it.
    Both are replaced whole. Raises OSError."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    for suffix, text in ((".json", as_json(report)), (".md", as_markdown(report))):
        _replace(folder / f"{report.run_id}{suffix}", text)
    return folder / f"{report.run_id}.md"


def forget_calls(root: Path, call_ids: Collection[str]) -> None:
    """Take calls that were erased out of the reports in the store at `root`; their counts stay.

    Raises OSError.
    """
    for path in sorted((root / FOLDER).glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if not any(call_id in page for call_id in call_ids):
            continue
        lines = [line for line in page.splitlines() if not any(call_id in line for call_id in call_ids)]
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        facts["worst"] = [call for call in facts["worst"] if call["call_id"] not in call_ids]
        _replace(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
        _replace(path, "\n".join(lines) + "\n")


def nights_filed(root: Path) -> Sequence[Night]:
    """The nights whose reports lie in the store at `root`; a report that cannot be read is none."""
    nights = []
    for path in sorted((root / FOLDER).glob("*.json")):
        try:
            night = json.loads(path.read_text(encoding="utf-8"))["night"]
            figures = {figure.name: float(night["figures"][figure.name]) for figure in FIGURES}
            started_at = datetime.fromisoformat(night["started_at"])
            nights.append(Night(night["run_id"], started_at, int(night["calls"]), figures))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # damaged, of a run without a call, or of an older version
    return nights


def _replace(path: Path, text: str) -> None:
    written = path.with_name(f".{path.name}~{os.getpid()}")
    written.write_text(text, encoding="utf-8")
    written.replace(path)


def _calls(store: Store, run_id: str) -> Sequence[Row]:
    """The rows of `calls` of a run as far as the report reads them, with `word_confidence`."""
    calls = query(store, _CALLS.format(run_id=run_id)).to_pylist()
    dates = ", ".join(f"date '{date}'" for date in {call["call_date"] for call in calls})
    confidences = query(store, _CONFIDENCES.format(dates=dates)).to_pylist() if calls else []
    of_call = {row["call_id"]: row["word_confidence"] for row in confidences}
    return [{**call, "word_confidence": of_call.get(call["call_id"])} for call in calls]
