"""How long a large store takes to be judged again."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_rows import made_call
from spoken_rows import embed_by_words

from pipelines.scorecards.parsing import load
from pipelines.scorecards.rescoring import rescore
from pipelines.scorecards.scoring import Scorer
from pipelines.store import Store

DATA = Path(__file__).resolve().parents[3] / "data"
CALLS = 1000
MOST_S = 60.0


@pytest.mark.slow
def test_a_thousand_calls_are_judged_again_in_less_than_a_minute(tmp_path: Path) -> None:
    """Calls of 120 turns and 960 words, six minutes of talk, whose sentences have a meaning."""
    rows = made_call("a", turns=120, words=8)
    texts = [f"I can help you with part {number}, and is there anything else?" for number in range(120)]
    sentences = [
        {**sentence, "embedding": embedding.tolist()}
        for sentence, embedding in zip(rows.sentences, embed_by_words(texts), strict=True)
    ]
    store = Store(tmp_path / "store")
    store.write_call(replace(rows, sentences=sentences))
    repeat_the_call_of(store)
    call_ids = sorted(store.processed())
    scorer = Scorer(load(DATA / "scorecards", DATA / "categories"), embed_by_words)
    begun, computed = time.monotonic(), time.process_time()
    rescored = rescore(store, call_ids, scorer)
    took, of_core = time.monotonic() - begun, time.process_time() - computed
    sys.stderr.write(
        f"\n{CALLS} calls of {len(rows.words)} words judged again in {took:.1f} s, "
        f"{of_core:.1f} s of one core\n"
    )
    assert rescored.replaced == len(call_ids) == CALLS
    assert of_core < MOST_S  # by the clock on the wall it depends on what else the machine does


def repeat_the_call_of(store: Store) -> None:
    """Put the one call of a store into it under other ids, until there are enough."""
    files = list((store.root / "tables").rglob("*.parquet"))
    for path in files:
        with pq.ParquetFile(path) as file:
            table = file.read()
        place = table.column_names.index("call_id")
        for number in range(CALLS - 1):
            ids = pa.array([f"{number:032x}"] * table.num_rows, pa.string())
            pq.write_table(table.set_column(place, "call_id", ids), path.with_name(f"{number:032x}.parquet"))
