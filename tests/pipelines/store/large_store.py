"""A store of many calls within minutes: the rows of a few made calls, under many ids."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from made_rows import DAY, made_call
from spoken_rows import embed_by_words

from models.language import EMBEDDING_SIZE
from pipelines.scorecards.parsing import load
from pipelines.scorecards.scoring import Scorer
from pipelines.store import Store, disk
from pipelines.store.days import PARTS, Change
from pipelines.store.parquet import table_bytes, write_merged
from pipelines.tables import PARTITION, TABLES, CallRows

DATA: Final = Path(__file__).resolve().parents[3] / "data"
TURNS: Final = (12, 30, 48, 60, 90)
"""Turns of the calls that are repeated, of ten words each: 480 words a call on average, three minutes."""
CUSTOMER_CALLS: Final = 4
"""Calls of each customer."""

_WORDS: Final = 10
_NOISE: Final = 0.02
_BITS: Final = np.uint32(0xFFFFE000)
"""What eleven significant bits leave of a float32: embeddings are stored so."""

Template = Mapping[str, pa.Table]


def make_large_store(root: Path, calls: int, days: int) -> Store:
    """A store of `calls` calls on `days` days, judged by the cards that come with Callfolio.

    It is as the morning finds it: the calls of the last day have files of their own, all others are merged.
    """
    store, templates = Store(root), [_template(turns) for turns in TURNS]
    for day in range(days):
        numbers = sorted(range(day, calls, days), key=_sha256)
        for name in (*PARTS, "calls"):
            tables = ((_sha256(each)[:32], _repeated(templates, name, each, day)) for each in numbers)
            folder = store.days.tables / name / f"{PARTITION}={(DAY + dt.timedelta(days=day)).date()}"
            folder.mkdir(parents=True)
            if day == days - 1:
                for call_id, table in tables:
                    (folder / f"{call_id}.parquet").write_bytes(table_bytes(name, table))
                continue
            staging = disk.temporary(root / "tmp", "made")
            files = write_merged(name, (table for _, table in tables), staging)
            with store.locks.exclusive():
                store.days.swap([Change(name, folder.name, {}, {file.name: file.path for file in files})])
            disk.remove([staging])
    store.days.discard(wait=True)
    return store


def call_id_of(number: int) -> str:
    """The id of the call of a number, which its source has too: `calls/<number>.wav`."""
    return _sha256(number)[:32]


def _sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _template(turns: int) -> Template:
    """The tables of a made call whose sentences mean something, and what it is judged."""
    rows = made_call(str(turns), turns=turns, words=_WORDS)
    texts = [f"I can help you with part {number}, and is there anything else?" for number in range(turns)]
    sentences: Sequence[Mapping[str, object]] = [
        {**sentence, "embedding": embedding.tolist()}
        for sentence, embedding in zip(rows.sentences, embed_by_words(texts), strict=True)
    ]
    scorer = Scorer(load(DATA / "scorecards", DATA / "categories"), embed_by_words)
    judged: CallRows = scorer.score_rows(replace(rows, sentences=sentences))
    call = {name: value for name, value in judged.call.items() if name != PARTITION}
    of_parts = {name: getattr(judged, name) for name in PARTS}
    return {
        name: pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name].schema)
        for name, rows in {**of_parts, "calls": [call]}.items()
    }


def _repeated(templates: Sequence[Template], name: str, number: int, day: int) -> pa.Table:
    """A table of the call of a number."""
    sha256 = _sha256(number)
    table = templates[int(sha256, 16) % len(templates)][name]
    values: dict[str, object] = {"call_id": sha256[:32]}
    if name == "calls":
        values |= {
            "source": f"calls/{number}.wav",
            "source_sha256": sha256,
            "customer_id": str(number // CUSTOMER_CALLS),
            "started_at": DAY + dt.timedelta(days=day),
        }
    for column, value in values.items():
        field = table.schema.field(column)
        array = pa.array([value] * table.num_rows, field.type)
        table = table.set_column(table.column_names.index(column), field, array)
    return _blurred(table, number) if name == "sentences" else table


def _blurred(table: pa.Table, number: int) -> pa.Table:
    """Sentences that mean almost the same: no two embeddings are equal, so that they take room."""
    at = table.column_names.index("embedding")
    flat = pc.list_flatten(table.column(at)).to_numpy().reshape(-1, EMBEDDING_SIZE)
    noise = np.random.default_rng(number).standard_normal(flat.shape, np.float32)
    blurred = flat + np.float32(_NOISE) * noise
    blurred /= np.linalg.norm(blurred, axis=1, keepdims=True)
    rounded = (blurred.astype(np.float32).view(np.uint32) & _BITS).view(np.float32)
    offsets = pa.array(np.arange(len(rounded) + 1) * EMBEDDING_SIZE, pa.int32())
    field = table.schema.field(at)
    array = pa.ListArray.from_arrays(offsets, pa.array(rounded.ravel()), type=field.type)
    return table.set_column(at, field, array)
