"""The tables of a store in another place: a folder, or an object store.

A day is made anew where it has changed since the last export, and only there. Its new files are written
under names that were never used, then the old ones are removed; `callfolio-export.json` says at the end
which files there are. A folder gets each file in one step, an object store shows none before it is whole.
Who lists a day between the two sees its rows twice, and who is at `callfolio-export.json` may find that a
file is gone; a day is done in the time that one file takes to be removed.
"""

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from models.errors import CallfolioError, UsageError
from pipelines.store import disk
from pipelines.store.days import PARTS, files_of
from pipelines.store.parquet import MergedFile, distinct_keys, is_large, is_merged, merged, rows_in
from pipelines.store.store import Store
from pipelines.tables import PARTITION, SCHEMA_VERSION, TABLES

Form = Literal["parquet", "jsonl", "csv"]

MANIFEST: Final = "callfolio-export.json"
REGISTER: Final = "exports.json"

_CHUNK: Final = 8 << 20
_WHOLE_AT_ONCE: Final = ("s3", "gcs", "abfs")
"""File systems that show no file before it is whole."""
_SECRET: Final = re.compile(r"//[^/@]*:[^/@]*@")


class DestinationError(CallfolioError):
    """An export cannot be written or brought up to date where it lies."""

    retryable = True


@dataclass(frozen=True)
class Destination:
    """Where tables are exported to, and which: `since` leaves out earlier days, `tables` is never empty."""

    uri: str
    tables: tuple[str, ...] = tuple(TABLES)
    since: date | None = None
    form: Form = "parquet"


@dataclass(frozen=True)
class Exported:
    """What an export did: days of tables that were written, left as they were, and removed; and the rows of
    the tables and days that were asked for, as they lie there now."""

    written: int
    unchanged: int
    removed: int
    rows: int


def export(
    store: Store,
    destination: Destination,
    filesystem: pafs.FileSystem | None = None,
    tell: Callable[[str], None] | None = None,
) -> Exported:
    """Bring the tables at a destination up to date with the store, as it is at one moment.

    `filesystem` is where the destination's path lies, where its URI does not say so. The store remembers
    the destination, so that what is erased here is erased there. Raises UsageError where the destination
    makes no sense, DestinationError where it cannot be written, StoreError.
    """
    place = _Place.of(store, destination, filesystem)
    with disk.storing(store.root), store.locks.upkeep():
        if place.read(MANIFEST) is None:
            # Nothing of a call lies there before the store remembers it, and it remembers no place that
            # cannot be written.
            place.write(MANIFEST, io.BytesIO(b"{}"))
        if filesystem is None:
            _register(store, destination)
        snapshot = disk.temporary(store.root / "tmp", "export")
        snapshot.mkdir()
        try:
            return _export(store, destination, place, snapshot, tell)
        finally:
            disk.remove([snapshot])


def registered(root: Path) -> Sequence[Destination]:
    """The destinations that a store has been exported to."""
    path = root / REGISTER
    if not path.exists():
        return ()
    return [
        Destination(
            each["uri"],
            tuple(each["tables"]),
            date.fromisoformat(each["since"]) if each["since"] else None,
            each["form"],
        )
        for each in json.loads(path.read_bytes())
    ]


def refresh(store: Store) -> Sequence[str]:
    """Bring all exports of a store up to date, and return a sentence for each that could not be.

    One that is not there any more is not made again. Raises StoreError.
    """
    sentences = []
    for destination in registered(store.root):
        try:
            if _Place.of(store, destination, None).read(MANIFEST) is None:
                sentences.append(
                    f"There is no export at {destination.uri}. If it lies there at other times, it still has "
                    f"what was erased: export again then. If it was deleted, take it out of "
                    f"{store.root / REGISTER}."
                )
                continue
            export(store, destination)
        except (DestinationError, UsageError) as error:
            sentences.append(
                f"The export {destination.uri} still has what was erased: {error} It goes from there with "
                f"the next: callfolio export {destination.uri} --store {store.root}"
            )
    return sentences


@dataclass(frozen=True)
class _Place:
    """A folder of a file system."""

    uri: str
    filesystem: pafs.FileSystem
    path: str

    @classmethod
    def of(cls, store: Store, destination: Destination, filesystem: pafs.FileSystem | None) -> "_Place":
        uri = destination.uri
        if unknown := set(destination.tables) - set(TABLES):
            raise UsageError(f"There is no table {unknown.pop()}. The tables are {', '.join(TABLES)}.")
        if _SECRET.search(uri):
            raise UsageError(
                "The store remembers where it was exported to, and keeps no passwords. Leave it out of the "
                "address, and give it as the object store's tools take it: AWS_SECRET_ACCESS_KEY, …"
            )
        if filesystem is not None:
            return cls(uri, filesystem, uri.rstrip("/"))
        if "://" not in uri:
            path = Path(uri).absolute()
            if path.resolve().is_relative_to(store.root):
                raise UsageError(f"{uri} lies in the store itself. Name a folder outside of it.")
            return cls(uri, pafs.LocalFileSystem(), str(path))
        try:
            found, path_in = pafs.FileSystem.from_uri(uri)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UsageError(f"{uri} is no address that can be exported to: {error}.") from error
        return cls(uri, found, path_in.rstrip("/"))

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """The one place where errors of a destination become sentences."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            why = str(error).strip().rstrip(".")
            raise DestinationError(
                f"{self.uri} cannot be written: {why}. Make it writable and export again."
            ) from error

    def read(self, name: str) -> bytes | None:
        with self.reaching():
            path = f"{self.path}/{name}"
            if self.filesystem.get_file_info(path).type != pafs.FileType.File:
                return None
            with self.filesystem.open_input_stream(path) as stream:
                return bytes(stream.read())

    def write(self, name: str, source: Any) -> None:
        with self.reaching():
            path = f"{self.path}/{name}"
            parent, _, last = path.rpartition("/")
            at_once = self.filesystem.type_name in _WHOLE_AT_ONCE
            target = path if at_once else f"{parent}/.{last}.unfinished"
            if not at_once:
                # An object store has no folders, and would get empty objects that stand for them.
                self.filesystem.create_dir(parent, recursive=True)
            with self.filesystem.open_output_stream(target) as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
            if not at_once:
                self.filesystem.move(target, path)

    def keep_only(self, folder: str, names: Sequence[str]) -> None:
        """Remove from a folder what has none of these names, and the folder where there is no name."""
        with self.reaching():
            path = f"{self.path}/{folder}"
            selector = pafs.FileSelector(path, allow_not_found=True)
            for info in self.filesystem.get_file_info(selector):
                if info.base_name not in names:
                    self.filesystem.delete_file(info.path)
            if not names and self.filesystem.get_file_info(path).type == pafs.FileType.Directory:
                self.filesystem.delete_dir(path)


def _export(
    store: Store,
    destination: Destination,
    place: _Place,
    snapshot: Path,
    tell: Callable[[str], None] | None,
) -> Exported:
    manifest = _manifest_of(place)
    # What has no form of its own is of an older manifest, and was thought to be all of one.
    there: dict[str, Any] = {
        name: {"form": manifest.get("form"), **day} for name, day in manifest.get("days", {}).items()
    }
    wanted: dict[str, str] = {}
    # Alone with the store for as long as it takes to link what has changed: no call is seen in part.
    with store.locks.exclusive():
        store.days.recover()
        for table in destination.tables:
            for folder in store.days.folders(table):
                name = f"{table}/{folder.name}"
                late = not destination.since or folder.name >= f"{PARTITION}={destination.since}"
                files = files_of(folder, lambda _: True)
                if files and (late or name in there):
                    wanted[name] = _fingerprint(folder, files)
                    as_it_lies = {"fingerprint": wanted[name], "form": destination.form}
                    if not as_it_lies.items() <= there.get(name, {}).items():
                        _link(store, table, folder.name, snapshot)
    days: dict[str, Any] = {name: there[name] for name in there if name in wanted}
    written = 0
    for name, fingerprint in wanted.items():
        if not (snapshot / name).exists():
            continue
        if tell:
            tell(name)
        put = _put_day(place, name, snapshot, destination.form)
        days[name] = {"fingerprint": fingerprint, "form": destination.form, **put}
        written += 1
    gone = [name for name in there if name not in wanted and name.partition("/")[0] in destination.tables]
    for name in gone:
        place.keep_only(name, [])
    kept = {name: day for name, day in there.items() if name.partition("/")[0] not in destination.tables}
    content = {
        "schema_version": SCHEMA_VERSION,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "form": destination.form,
        "days": dict(sorted({**kept, **days}.items())),
    }
    place.write(MANIFEST, io.BytesIO(json.dumps(content, indent=1).encode()))
    rows = sum(days[name]["rows"] for name in wanted)
    return Exported(written, len(wanted) - written, len(gone), rows)


def _manifest_of(place: _Place) -> Mapping[str, Any]:
    try:
        manifest = json.loads(place.read(MANIFEST) or b"{}")
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise DestinationError(
            f"{place.uri}/{MANIFEST} is damaged, so it is not known what was exported. Empty {place.uri} and "
            "export again."
        )
    return manifest


def _fingerprint(folder: Path, files: Mapping[Path, tuple[int, int]]) -> str:
    """What a day's folder is told by: the names, sizes and times of its files."""
    told = [(path.name, path.stat().st_size, modified) for path, (_, modified) in files.items()]
    return hashlib.sha256(json.dumps([SCHEMA_VERSION, folder.name, sorted(told)]).encode()).hexdigest()


def _link(store: Store, table: str, day: str, snapshot: Path) -> None:
    """Give the files of a day, and of `calls` on it, a second name, under which nobody replaces them."""
    for name in (table, "calls") if table in PARTS else (table,):
        target = snapshot / name / day
        if name != table:
            target = snapshot / "committed" / day
        if target.exists():
            continue
        target.mkdir(parents=True)
        for path in files_of(store.days.tables / name / day, lambda _: True):
            disk.link(path, target / path.name)


def _put_day(place: _Place, name: str, snapshot: Path, form: Form) -> Mapping[str, Any]:
    """Write a day of a table and remove the files that were there."""
    table, _, day = name.partition("/")
    files = sorted((snapshot / name).iterdir())
    keys: frozenset[str] | None = None
    if table in PARTS:
        # What a killed process left of a call without a row in `calls` is not the reader's business.
        keys = frozenset(
            key for path in (snapshot / "committed" / day).iterdir() for key in distinct_keys("calls", path)
        )
    own, many = ([path for path in files if is_merged(path) == wanted] for wanted in (False, True))
    if not own and _is_fit(table, many, keys):
        made: Sequence[MergedFile] = [MergedFile(path, path.name, rows_in(path)) for path in many]
    else:
        made = merged(table, own, many, snapshot / "made" / name, keys)
    names = []
    for each in made:
        path = each.path if form == "parquet" else _in_text(each.path, table, day, form)
        last = f"part-{each.name.removeprefix('merged~').removesuffix('.parquet')}.{form}"
        with path.open("rb") as source:
            place.write(f"{name}/{last}", source)
        names.append(last)
        path.unlink()
    place.keep_only(name, names)
    return {"files": names, "rows": sum(each.rows for each in made)}


def _is_fit(table: str, many: Sequence[Path], keys: frozenset[str] | None) -> bool:
    """Whether merged files can be exported as they are: of a good size, with nothing to leave out."""
    return sum(not is_large(path) for path in many) <= 1 and (
        keys is None or all(keys.issuperset(distinct_keys(table, path)) for path in many)
    )


def _in_text(path: Path, table: str, day: str, form: Form) -> Path:
    """A file of Parquet as one of text: lists, maps and structures are JSON."""
    target = path.with_suffix(f".{form}")
    columns = TABLES[table].read_schema.names
    call_date = day.removeprefix(f"{PARTITION}=")
    with pq.ParquetFile(path) as file, target.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        if form == "csv":
            writer.writerow(columns)
        for batch in file.iter_batches():
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                row[PARTITION] = call_date
                if form == "csv":
                    writer.writerow([_cell(row[name]) for name in columns])
                else:
                    text.write(json.dumps(row, default=_plain, ensure_ascii=False) + "\n")
    return target


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return _plain(value) if isinstance(value, datetime) else value


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _register(store: Store, destination: Destination) -> None:
    """Remember a destination, with the tables of earlier exports to it: they are still there."""
    uri = destination.uri if "://" in destination.uri else str(Path(destination.uri).absolute())
    known = {each.uri: each for each in registered(store.root)}
    earlier = known[uri].tables if uri in known else ()
    tables = tuple(name for name in TABLES if name in (*destination.tables, *earlier))
    if known.get(uri) == (now := Destination(uri, tables, destination.since, destination.form)):
        return
    known[uri] = now
    content = [{**asdict(each), "since": str(each.since) if each.since else None} for each in known.values()]
    staged = disk.stage(store.root / "tmp", "exports", json.dumps(content, indent=1).encode())
    disk.publish(staged, store.root / REGISTER)
