"""What somebody says about a call by now, against what the store has of it from when it was processed.

A field that is not said any more stays as it was said, and so does each name in `metadata`: a recording that
is given without its metadata loses none of it. `channel_roles` are one field: a channel that they do not name
any more has no role that was given. Where the recording is processed again, the rows tell all that was said
but `kind`, `language` and `speakers`, which may as well have been found out, and then are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipelines.sources import CallMetadata
from pipelines.store import Store
from pipelines.tables import PARTITION, CallRows, Row
from pipelines.transcript import ROLE_GIVEN

_GIVEN: Final = ("agent_id", "customer_id", "queue", "direction")
"""Columns of `calls` that are what the metadata says, and empty where it says nothing."""

_STATED: Final = (
    *("call_id", "started_at", "started_at_source", "kind", "kind_source", "language"),
    *(*_GIVEN, "metadata"),
)


@dataclass(frozen=True)
class Restatement:
    """What is said otherwise than a call's rows have it: new values of columns of `calls`; `reread` where
    roles and what is found by them may be others; `reheard` where its recording has to be processed again."""

    columns: Row = field(default_factory=dict)
    reread: bool = False
    reheard: bool = False

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.columns) or self.reread or self.reheard


@dataclass(frozen=True)
class Stated:
    """The columns of `calls` that metadata may say, and the speakers with a channel of their own."""

    call: Row
    speakers: Sequence[Row]


class StatedCalls(Mapping[str, Stated]):
    """What the store has of all calls, by `call_id`: kept as tables, a call is made into rows when asked for.

    As rows, a hundred thousand calls would take ten times the memory.
    """

    def __init__(self, calls: pa.Table, speakers: pa.Table) -> None:
        """Tables in order of `call_id`, with the columns that `Stated` has rows of."""
        self._calls, self._speakers = _InOrder(calls), _InOrder(speakers)

    def __getitem__(self, call_id: str) -> Stated:
        """What the store has of a call. Raises KeyError."""
        rows = self._calls.rows(call_id)
        if not rows:
            raise KeyError(call_id)
        return Stated(rows[0], self._speakers.rows(call_id))

    def __iter__(self) -> Iterator[str]:
        """The ids of the calls, in order."""
        return (str(each) for each in self._calls.ids.astype(str))

    def __len__(self) -> int:
        """How many calls the store has."""
        return len(self._calls.ids)


class _InOrder:
    """A table in order of `call_id`."""

    def __init__(self, table: pa.Table) -> None:
        self.columns = {name: table.column(name).combine_chunks() for name in table.column_names}
        self.ids = table.column("call_id").to_numpy().astype("S")

    def rows(self, call_id: str) -> list[Row]:
        """The rows of a call."""
        key = call_id.encode()
        first, end = np.searchsorted(self.ids, key, "left"), np.searchsorted(self.ids, key, "right")
        return [
            {name: column[row].as_py(maps_as_pydicts="strict") for name, column in self.columns.items()}
            for row in range(int(first), int(end))
        ]


def stated_calls(store: Store, channels: bool) -> StatedCalls:
    """What the store has; of speakers only where the metadata says something of `channels`.

    Raises StoreError.
    """
    calls = f"select {', '.join(_STATED)} from calls order by call_id"
    speakers = f"""
        select call_id, channel, role, role_confidence from speakers
        where {channels} and channel > 0 order by call_id, channel
    """
    return StatedCalls(
        *store.read(lambda views: [views.sql(each).to_arrow_table() for each in (calls, speakers)])
    )


def restatement(given: CallMetadata, call: Row, speakers: Sequence[Row]) -> Restatement:
    """What `given` says otherwise than a row of `calls` and the call's rows of `speakers`.

    How many speakers there are is no column, and is not compared.
    """
    said: dict[str, Any] = {name: value for name in _GIVEN if (value := getattr(given, name))}
    if given.metadata:
        said["metadata"] = {**call["metadata"], **given.metadata}
    if given.started_at:
        said |= {"started_at": given.started_at, "started_at_source": "metadata"}
    if given.kind:
        said |= {"kind": given.kind, "kind_source": "given"}
    columns = {name: value for name, value in said.items() if call[name] != value}
    roles = given.channel_roles and any(
        person != _with_role(person, given.channel_roles) for person in speakers if person["channel"]
    )
    return Restatement(
        columns,
        reread=bool(roles) or "kind" in columns,
        reheard=given.language not in (None, call["language"]),
    )


def restated(rows: CallRows, given: CallMetadata) -> CallRows:
    """The rows of a call with what `given` says in `calls`, and the roles of channels in `speakers`.

    What follows from the kind and from roles is as it was, and found by `pipelines.rereading.read_again`.
    """
    columns = dict(restatement(given, rows.call, rows.speakers).columns)
    if "started_at" in columns:
        columns[PARTITION] = columns["started_at"].astimezone(UTC).date()
    speakers = rows.speakers
    if given.channel_roles:
        speakers = tuple(
            _with_role(person, given.channel_roles) if person["channel"] else person for person in speakers
        )
    return replace(rows, call={**rows.call, **columns}, speakers=speakers)


def said_before(rows: CallRows) -> CallMetadata:
    """What was said about a call, as far as its rows tell it from what was heard."""
    call = rows.call
    known = call["started_at_source"] == "metadata"
    roles = {
        person["channel"]: person["role"]
        for person in rows.speakers
        if person["channel"] and person["role_confidence"] == ROLE_GIVEN
    }
    return CallMetadata(
        started_at=call["started_at"] if known else None,
        channel_roles=roles,
        metadata=call["metadata"],
        **{name: call[name] or None for name in _GIVEN},
    )


def _with_role(person: Row, channel_roles: Mapping[int, str]) -> Row:
    """A speaker with the role that is given for the channel, or with none that was given before."""
    if (role := channel_roles.get(person["channel"])) is not None:
        return {**person, "role": role, "role_confidence": ROLE_GIVEN}
    if person["role_confidence"] == ROLE_GIVEN:
        return {**person, "role": "unknown", "role_confidence": 0.0}
    return person
