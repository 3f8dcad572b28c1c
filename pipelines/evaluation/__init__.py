"""Transcripts scored against references: words, speakers, diarization, times and silence.

`Documents` reads what people and systems write, `evaluate` scores it call by call, `report` makes figures.
"""

from pipelines.evaluation.evaluation import Evaluation, evaluate
from pipelines.evaluation.formats import Documents
from pipelines.evaluation.report import Report, as_json, as_markdown, as_text, report, write_json
from pipelines.evaluation.scoring import Rules

__all__ = [
    "Documents",
    "Evaluation",
    "Report",
    "Rules",
    "as_json",
    "as_markdown",
    "as_text",
    "evaluate",
    "report",
    "write_json",
]
