"""Times become medians, sums and ratios as they are defined."""

import pytest

from pipelines.benchmark.heard import Heard
from pipelines.benchmark.processes import OURS, THEIRS
from pipelines.benchmark.speed import WHOLE, WHOLE_WITHOUT_TIMES, WORD_TIMES, speeds
from pipelines.evaluation.document import Document


def took(seconds: float, **stages: float) -> Heard:
    stage_s = {name.replace("_", " "): s for name, s in stages.items()}
    return Heard(Document("a", ""), "mono", 60.0, seconds, stage_s)


def test_a_sum_over_recordings_is_one_of_medians_over_repeats() -> None:
    found = speeds(
        {
            OURS: {"a": (took(1.0), took(9.0), took(2.0)), "b": (took(1.0), took(1.0), took(1.0))},
            THEIRS: {"a": (took(4.0), took(9.0), took(3.0)), "b": (took(2.0), took(2.0), took(2.0))},
        }
    )
    [whole] = found
    assert (whole.stage, whole.ours_s, whole.theirs_s, whole.ratio) == (WHOLE, 3.0, 6.0, 2.0)
    # 6 s by 2, 11 by 10 and 5 by 3
    assert (whole.low, whole.high) == (1.1, 3.0)


def test_one_repeat_has_no_range() -> None:
    [whole] = speeds({OURS: {"a": (took(1.0),)}, THEIRS: {"a": (took(4.0),)}})
    assert (whole.ratio, whole.low, whole.high) == (4.0, None, None)


def test_stages_come_in_order_and_those_of_one_system_have_no_ratio() -> None:
    found = speeds(
        {
            OURS: {"a": (took(3.0, diarize=2.0, decode=0.5, measure=0.5),)},
            THEIRS: {"a": (took(8.0, decode=1.0, diarize=4.0, word_times=3.0),)},
        }
    )
    rows = {row.stage: row for row in found}
    assert list(rows) == ["decode", WORD_TIMES, "diarize", "measure", WHOLE, WHOLE_WITHOUT_TIMES]
    assert rows["diarize"].ratio == 2.0
    assert (rows["measure"].theirs_s, rows["measure"].ratio) == (None, None)
    assert (rows[WORD_TIMES].ours_s, rows[WORD_TIMES].theirs_s) == (None, 3.0)


def test_a_reader_can_leave_out_the_time_of_whisperx_word_times() -> None:
    found = speeds({OURS: {"a": (took(2.0),)}, THEIRS: {"a": (took(8.0, word_times=3.0),)}})
    rows = {row.stage: row for row in found}
    assert rows[WHOLE].ratio == 4.0
    assert rows[WHOLE_WITHOUT_TIMES].ratio == pytest.approx(2.5)
