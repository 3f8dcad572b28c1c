"""A night's report from what a store has of it, and as files in the store."""

import os
from pathlib import Path
from typing import Final

from models.errors import UsageError
from pipelines.night.quality import NIGHTS, Night, night_of
from pipelines.night.rendering import as_json, as_markdown
from pipelines.night.report import NightReport, night_report
from pipelines.query import query
from pipelines.store import Store
from pipelines.tables import Row

FOLDER: Final = "reports"
LAST: Final = "last"

_CALLS: Final = """
select c.call_id, c.run_id, c.review_flags, c.speech_s, c.uncovered_speech_s, c.speaker_count, c.duration_s,
  t.word_confidence
from calls c left join (
  select call_id, sum(word_confidence * word_count) / nullif(sum(word_count), 0) as word_confidence
  from turns group by call_id
) t using (call_id)
where c.run_id in (
  select run_id from runs where started_at <= '{started_at}' order by started_at desc limit {runs}
)
"""
_RUNS_A_NIGHT: Final = 8
"""Runs among which a night is looked for: many have too few calls to be one."""


def read_report(store: Store, run_id: str = LAST) -> NightReport:
    """The report of a run, or of the last one. Raises UsageError where there is no such run, StoreError."""
    runs = store.table("runs").to_pylist(maps_as_pydicts="strict")
    chosen = [run for run in runs if run_id in (LAST, run["run_id"])]
    if not chosen:
        raise UsageError(
            f"The store {store.root} has no run {run_id}. "
            "`callfolio query 'select run_id from runs'` lists them."
        )
    run = chosen[-1]
    limit = 1 + NIGHTS * _RUNS_A_NIGHT
    asked = _CALLS.format(started_at=run["started_at"].isoformat(), runs=limit)
    of_run: dict[str, list[Row]] = {}
    for call in query(store, asked).to_pylist(maps_as_pydicts="strict"):
        of_run.setdefault(call["run_id"], []).append(call)
    before: list[Night] = [
        night_of(each["run_id"], each["started_at"], of_run.get(each["run_id"], []))
        for each in runs
        if each["started_at"] < run["started_at"]
    ]
    failures = [row for row in store.failures() if row["run_id"] == run["run_id"]]
    return night_report(run, of_run.get(run["run_id"], []), failures, before)


def file_report(report: NightReport, root: Path) -> Path:
    """Write a report into the store at `root` and return the path of the Markdown; the JSON lies beside it.
    Both are replaced whole. Raises OSError."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    for suffix, text in ((".json", as_json(report)), (".md", as_markdown(report))):
        path = folder / f"{report.run_id}{suffix}"
        written = path.with_name(f".{path.name}~{os.getpid()}")
        written.write_text(text, encoding="utf-8")
        written.replace(path)
    return folder / f"{report.run_id}.md"
