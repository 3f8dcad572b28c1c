"""Judging the calls of a store again, by cards that may have changed, and saying what that changes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from threadpoolctl import threadpool_limits

from models.errors import UsageError
from pipelines.scorecards.conversation import Conversation
from pipelines.scorecards.scoring import Judgement, Scorer
from pipelines.store import Judged, Store, StoredCall
from pipelines.store.parquet import RowGroups
from pipelines.tables import Row

BATCH: Final = 500
"""Calls whose rows are made before they are put into the store, all at once."""

_PASSES: Final = 5


@dataclass(frozen=True)
class Change:
    """Calls that had the result `before` and have `after`.

    `card` is a scorecard and `criterion` one of its criteria; of a category, `criterion` is empty. `before`
    is empty where there was no row, and `after` where there is none. `calls` are pairs of id and source.
    """

    card: str
    criterion: str
    before: str
    after: str
    calls: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Standing:
    """How calls stand by one scorecard: `score` is their mean, 0 to 1, None where none has a result.

    `failed` are those that fail a critical criterion, `to_judge` those with a criterion for a person.
    """

    scorecard: str
    version: str
    calls: int
    score: float | None
    failed: int
    to_judge: int


@dataclass(frozen=True)
class Rescored:
    """What judging a store again did: `replaced` calls of `calls` have other rows than before."""

    calls: int
    replaced: int
    changes: tuple[Change, ...]
    standings: tuple[Standing, ...]
    categories: Mapping[str, int]


# Threads for products as small as these would wait for each other longer than they compute.
@threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]
def rescore(
    store: Store, call_ids: Sequence[str], scorer: Scorer, tell: Callable[[int], None] | None = None
) -> Rescored:
    """Judge calls of a store again and replace their rows of `scores` and `categories`.

    It is quickest in the order of `Store.processed`. Calls that are processed meanwhile are read again; those
    that go are left out. `tell` hears how many calls are done. Raises StoreError and InvariantBroken.
    """
    changes: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    tally, groups = _Tally(), RowGroups()
    done = replaced = 0
    waiting = list(call_ids)
    for _ in range(_PASSES):
        ids = iter(waiting)
        again: list[str] = []
        while batch := list(islice(ids, BATCH)):
            judged: list[tuple[StoredCall, Judgement, Judgement]] = []
            for call_id in batch:
                try:
                    call = store.read_stored(call_id, groups)
                except UsageError:  # gone since it was listed
                    continue
                old, new = judgement_of(call), scorer.score(conversation_of_stored(call))
                # What was said of hundreds of calls is not kept in memory until they are written.
                judged.append((replace(call, tables={}), old, new))
                if tell:
                    tell(done + len(judged))
            others = [Judged(call, new.scores, new.categories) for call, old, new in judged if old != new]
            left_alone = set(store.write_judgements(others))
            again += left_alone
            replaced += len(others) - len(left_alone)
            for call, old, new in judged:
                if call.row["call_id"] in left_alone:
                    continue
                done += 1
                tally.count(new)
                for change in _differences(old, new):
                    changes.setdefault(change, []).append((call.row["call_id"], call.row["source"]))
        waiting = again
        if not waiting:
            break
    order = sorted(changes)
    return Rescored(
        done,
        replaced,
        tuple(Change(*change, tuple(sorted(changes[change], key=lambda call: call[1]))) for change in order),
        tally.standings(),
        dict(sorted(tally.categories.items())),
    )


def conversation_of_stored(call: StoredCall) -> Conversation:
    """What judging sees of a call in a store."""
    return Conversation(call.row, call.tables)


def judgement_of(call: StoredCall) -> Judgement:
    """What a stored call was judged to be."""
    scores, categories = (
        tuple(call.tables[name].to_pylist()) if name in call.tables else ()
        for name in ("scores", "categories")
    )
    return Judgement(scores, categories)


def score_of(rows: Sequence[Row]) -> float | None:
    """The score of a call by the rows of one scorecard, 0 to 1, as the table `scores` defines it."""
    judged = [row for row in rows if row["points"] is not None]
    most = sum(row["max_points"] * row["weight"] for row in judged)
    return sum(row["points"] * row["weight"] for row in judged) / most if most else None


class _Tally:
    """Counts how calls stand."""

    def __init__(self) -> None:
        self.cards: dict[tuple[str, str], list[tuple[float | None, bool, bool]]] = {}
        self.categories: Counter[str] = Counter()

    def count(self, judgement: Judgement) -> None:
        cards: dict[tuple[str, str], list[Row]] = {}
        for row in judgement.scores:
            cards.setdefault((row["scorecard"], row["version"]), []).append(row)
        for card, rows in cards.items():
            failed = any(row["critical"] and row["result"] == "fail" for row in rows)
            to_judge = any(row["result"] == "needs_person" for row in rows)
            self.cards.setdefault(card, []).append((score_of(rows), failed, to_judge))
        self.categories.update(row["category"] for row in judgement.categories if row["result"] == "matched")

    def standings(self) -> tuple[Standing, ...]:
        found = []
        for (card, version), calls in sorted(self.cards.items()):
            scores = [score for score, _, _ in calls if score is not None]
            found.append(
                Standing(
                    card,
                    version,
                    len(calls),
                    sum(scores) / len(scores) if scores else None,
                    sum(failed for _, failed, _ in calls),
                    sum(to_judge for _, _, to_judge in calls),
                )
            )
        return tuple(found)


def _differences(old: Judgement, new: Judgement) -> list[tuple[str, str, str, str]]:
    """Card, criterion, result before and result after of whatever has another result."""
    before, after = _results(old), _results(new)
    return [
        (*key, before.get(key, ""), after.get(key, ""))
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def _results(judgement: Judgement) -> dict[tuple[str, str], str]:
    results = {(row["scorecard"], row["criterion"]): row["result"] for row in judgement.scores}
    results.update({(row["category"], ""): row["result"] for row in judgement.categories})
    return results
