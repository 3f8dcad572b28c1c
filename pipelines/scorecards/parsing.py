"""Files of scorecards and categories as values, or their mistakes."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

import pyarrow as pa
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from models.errors import UsageError
from pipelines.scorecards.cards import (
    Applies,
    Category,
    Criterion,
    Rulebook,
    Scorecard,
    Section,
    Thresholds,
)
from pipelines.scorecards.conditions import (
    THIS,
    Aggregate,
    All,
    Amount,
    Any,
    Column,
    Comparison,
    Condition,
    Each,
    Entity,
    InOrder,
    Metric,
    Moment,
    Named,
    Not,
    Operator,
    Phrases,
    Said,
    Window,
    parts,
)
from pipelines.scorecards.document import Document, Entry, Mistake, Mistaken, shown, suggestion
from pipelines.tables import ENTITY_KINDS, MOMENT_KINDS, ROLES, TABLES

DEFAULT_MEANING: Final = 0.6
"""Cosine similarity from which a sentence has the meaning of an example, where the file does not say.

With all-MiniLM-L6-v2, paraphrases of what agents and doctors say are mostly above, and other sentences on
the same matter mostly below.
"""

_SUFFIXES: Final = (".yaml", ".yml")
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|%|turns?)")
_COLUMN: Final = re.compile(r"(\w+)\.(\w+)(?:\.([\w.-]+)|\[(-?\d+)\])?")
_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_AGGREGATES: Final[tuple[Aggregate, ...]] = get_args(Aggregate)
_WINDOW_KEYS: Final = ("first", "last", "after", "before", "for", "while")
_METRIC_TABLES: Final = ("calls", "speakers", "turns")
_NEVER: Final = Said(Phrases())
"""Stands where a condition could not be read; the file is not used then."""


def load(scorecards: Path, categories: Path) -> Rulebook:
    """All scorecards and categories in the `.yaml` files of two folders, in order of their files' names.

    Raises `Mistaken`, with every mistake of every file, or `UsageError` when a folder is not there.
    """
    return _rulebook([*files_in(scorecards), *files_in(categories)])


def load_files(paths: Iterable[Path]) -> Rulebook:
    """The scorecards and categories in files, and in the files of folders. Raises as `load` does."""
    return _rulebook([file for path in paths for file in (files_in(path) if path.is_dir() else [path])])


def files_in(folder: Path) -> Sequence[Path]:
    """The files of a folder that are read. Raises UsageError when there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. Name one that has scorecards or categories in it.")
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())


def _rulebook(paths: Sequence[Path]) -> Rulebook:
    scorecards: list[Scorecard] = []
    categories: list[Category] = []
    mistakes: dict[Path, list[Mistake]] = {}
    defined: dict[tuple[str, str], Path] = {}
    for path in paths:
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
            mistakes[path] = [Mistake(line, column, "this is not text in UTF-8.")]
            continue
        document = Document(path, text)
        card = _Parser(document, hashlib.sha256(content).hexdigest()).card() if document.root else None
        if card and not document.mistakes:
            kind = "scorecard" if isinstance(card, Scorecard) else "category"
            if (other := defined.setdefault((kind, card.name), path)) != path:
                entry = document.entries(document.root, kind)[kind] if document.root else None
                if entry:
                    document.wrong(entry.value, f"{other} has a {kind} {shown(card.name)} too.")
            if isinstance(card, Scorecard):
                scorecards.append(card)
            else:
                categories.append(card)
        if document.mistakes:
            mistakes[path] = document.mistakes
    if mistakes:
        raise Mistaken(mistakes)
    return Rulebook(tuple(scorecards), tuple(categories))


@dataclass
class _Parser:
    """Reads one file; `named` and `references` are what is defined and referred to in it."""

    document: Document
    sha256: str
    threshold: float = DEFAULT_MEANING
    named: dict[str, Condition] = field(default_factory=dict)
    places: dict[str, Node] = field(default_factory=dict)
    references: list[tuple[str, Node, bool]] = field(default_factory=list)
    located: list[tuple[Condition, Node, str]] = field(default_factory=list)

    def card(self) -> Scorecard | Category | None:
        """The scorecard or category, None where the mistakes leave nothing of it."""
        document = self.document
        assert document.root is not None
        if not isinstance(document.root, MappingNode):
            document.wrong(document.root, "a file begins with `scorecard: NAME` or `category: NAME`.")
            return None
        keys = {key.value for key, _ in document.root.value if isinstance(key, ScalarNode)}
        if "scorecard" in keys:
            return self._scorecard(document.root)
        if "category" in keys:
            return self._category(document.root)
        document.wrong(document.root, "the file has neither the key `scorecard` nor the key `category`.")
        return None

    # Cards

    def _scorecard(self, root: Node) -> Scorecard:
        entries = self.document.mapping(
            root,
            "a scorecard",
            ("scorecard", "version", "sections"),
            ("title", "applies_to", "applies_if", "confidence", "threshold", "conditions"),
        )
        name, version, title, applies_to, thresholds = self._head(entries, "scorecard")
        applies_if = self._applies_if(entries)
        sections: list[Section] = []
        names: dict[str, Node] = {}
        for node in (
            self.document.items(entries["sections"].value, "`sections`") if "sections" in entries else ()
        ):
            section = self._section(node, applies_if)
            place = _value(node, "section") or node
            if section.name in names:
                line = names[section.name].start_mark.line + 1
                self.document.wrong(
                    place, f"there is a section {shown(section.name)} already in line {line}."
                )
            names.setdefault(section.name, place)
            sections.append(section)
        self._check()
        return Scorecard(
            name,
            version,
            title,
            applies_to,
            thresholds,
            tuple(sections),
            self.named,
            self.document.path,
            self.sha256,
        )

    def _category(self, root: Node) -> Category:
        entries = self.document.mapping(
            root,
            "a category",
            ("category", "version", "when"),
            ("title", "applies_to", "confidence", "threshold", "conditions", "points_of_interest"),
        )
        name, version, title, applies_to, thresholds = self._head(entries, "category")
        when = self.condition(entries["when"].value) if "when" in entries else _NEVER
        points = None
        if "points_of_interest" in entries:
            node = entries["points_of_interest"].value
            points = self.condition(node)
            self.located.append((points, node, "points of interest"))
        self._check()
        return Category(
            name,
            version,
            title,
            applies_to,
            thresholds,
            when,
            points,
            self.named,
            self.document.path,
            self.sha256,
        )

    def _head(self, entries: Mapping[str, Entry], kind: str) -> tuple[str, str, str, Applies, Thresholds]:
        document = self.document
        name = document.name(entries[kind].value, f"the name of a {kind}") if kind in entries else ""
        version = document.text(entries["version"].value, "`version`") if "version" in entries else ""
        title = document.text(entries["title"].value, "`title`") if "title" in entries else name
        if "threshold" in entries:
            self.threshold = document.number(entries["threshold"].value, "`threshold`", 0, 1)
        applies_to = self._applies_to(entries["applies_to"].value) if "applies_to" in entries else Applies()
        thresholds = Thresholds()
        if "confidence" in entries:
            given = document.mapping(
                entries["confidence"].value, "`confidence`", (), ("word", "speaker", "role")
            )
            thresholds = Thresholds(
                **{key: document.number(each.value, f"`{key}`", 0, 1) for key, each in given.items()}
            )
        if "conditions" in entries:
            for key, entry in document.entries(entries["conditions"].value, "`conditions`").items():
                self._define(document.name(entry.key, "the name of a condition"), entry.key)
                self.named[key] = self.condition(entry.value)
        return name, version, title, applies_to, thresholds

    def _applies_to(self, node: Node) -> Applies:
        columns: dict[str, tuple[str, ...]] = {}
        known = {column.name: column for column in TABLES["calls"].columns if pa.types.is_string(column.type)}
        for key, entry in self.document.entries(node, "`applies_to`").items():
            if key in known and known[key].values:
                columns[key] = self.document.choices(entry.value, key, known[key].values)
            elif key in known or re.fullmatch(r"metadata\.\S+", key):
                columns[key] = self.document.texts(entry.value, f"`{key}`")
            else:
                names = [*known, "metadata.NAME"]
                self.document.wrong(
                    entry.key, f"{shown(key)} is no column of calls with text in it{suggestion(key, names)}"
                )
        return Applies(columns)

    def _section(self, node: Node, outer: tuple[Condition, ...]) -> Section:
        document = self.document
        entries = document.mapping(node, "a section", ("section", "criteria"), ("weight", "applies_if"))
        name = (
            document.text(entries["section"].value, "the name of a section") if "section" in entries else ""
        )
        weight = document.number(entries["weight"].value, "`weight`", 0) if "weight" in entries else 1.0
        applies_if = outer + self._applies_if(entries)
        nodes = document.items(entries["criteria"].value, "`criteria`") if "criteria" in entries else ()
        return Section(name, tuple(self._criterion(each, weight, applies_if) for each in nodes))

    def _criterion(self, node: Node, weight: float, outer: tuple[Condition, ...]) -> Criterion:
        document = self.document
        entries = document.mapping(
            node,
            "a criterion",
            ("criterion", "points", "pass_if"),
            ("question", "weight", "critical", "applies_if"),
        )
        name = ""
        if "criterion" in entries:
            name = document.name(entries["criterion"].value, "the name of a criterion")
            self._define(name, entries["criterion"].value)
        question = document.text(entries["question"].value, "`question`") if "question" in entries else name
        points = document.number(entries["points"].value, "`points`", 0) if "points" in entries else 0.0
        if "weight" in entries:
            weight *= document.number(entries["weight"].value, "`weight`", 0)
        critical = document.truth(entries["critical"].value, "`critical`") if "critical" in entries else False
        pass_if = self.condition(entries["pass_if"].value) if "pass_if" in entries else _NEVER
        applies_if = outer + self._applies_if(entries)
        if name:
            self.named[name] = pass_if
        return Criterion(name, question, points, weight, critical, applies_if, pass_if)

    def _applies_if(self, entries: Mapping[str, Entry]) -> tuple[Condition, ...]:
        return (self.condition(entries["applies_if"].value),) if "applies_if" in entries else ()

    def _define(self, name: str, node: Node) -> None:
        if name == THIS:
            self.document.wrong(
                node, f"`{THIS}` is the occurrence that `each` looks at, and no name to give."
            )
        elif name in self.places:
            line = self.places[name].start_mark.line + 1
            self.document.wrong(
                node, f"there is a criterion or condition {shown(name)} already in line {line}."
            )
        self.places.setdefault(name, node)

    # Conditions

    def condition(self, node: Node, inside_each: bool = False) -> Condition:
        """A condition: a name, or one key that says its kind."""
        document = self.document
        if isinstance(node, ScalarNode):
            name = document.text(node, "a condition")
            if name:
                self.references.append((name, node, inside_each))
            return Named(name)
        if not isinstance(node, MappingNode):
            document.wrong(
                node,
                "a condition is a name or one key with what it asks for; several go under `all` or `any`.",
            )
            return _NEVER
        entries = document.entries(node, "a condition")
        if len(entries) != 1:
            wrong = list(entries.values())[1].key if entries else node
            found = " and ".join(f"`{key}`" for key in entries) or "nothing"
            document.wrong(
                wrong, f"a condition has one key, and not {found}; several go under `all` or `any`."
            )
            return _NEVER
        [(key, entry)] = entries.items()
        read = self._kinds().get(key)
        if read is None:
            document.wrong(
                entry.key, f"{shown(key)} is no kind of condition{suggestion(key, list(self._kinds()))}"
            )
            return _NEVER
        return read(entry.value, inside_each)

    def _kinds(self) -> Mapping[str, Callable[[Node, bool], Condition]]:
        return {
            "said": self._said,
            "not_said": lambda node, each: Not(self._said(node, each)),
            "metric": self._metric,
            "sentiment": self._sentiment,
            "entity": self._entity,
            "moment": self._moment,
            "all": lambda node, each: All(self._several(node, "`all`", each)),
            "any": lambda node, each: Any(self._several(node, "`any`", each)),
            "not": lambda node, each: Not(self.condition(node, each)),
            "in_order": self._in_order,
            "each": self._each,
        }

    def _several(self, node: Node, what: str, inside_each: bool) -> tuple[Condition, ...]:
        return tuple(self.condition(item, inside_each) for item in self.document.items(node, what))

    def _in_order(self, node: Node, inside_each: bool) -> Condition:
        items = self.document.items(node, "`in_order`")
        conditions = tuple(self.condition(item, inside_each) for item in items)
        self.located += [
            (condition, item, "an order") for condition, item in zip(conditions, items, strict=True)
        ]
        return InOrder(conditions)

    def _each(self, node: Node, inside_each: bool) -> Condition:
        entries = self.document.mapping(node, "`each`", ("of", "requires"))
        if inside_each:
            self.document.wrong(node, "an `each` cannot stand inside another.")
        occurrence = requires = _NEVER
        if "of" in entries:
            occurrence = self.condition(entries["of"].value, inside_each)  # type: ignore[assignment]
            self.located.append((occurrence, entries["of"].value, "`each`"))
        if "requires" in entries:
            requires = self.condition(entries["requires"].value, True)  # type: ignore[assignment]
        return Each(occurrence, requires)

    def _said(self, node: Node, inside_each: bool) -> Said:
        document = self.document
        if not isinstance(node, MappingNode):
            return Said(Phrases(exact=self._words(node, "`said`")))
        ways = ("exact", "lemma", "regex", "meaning")
        entries = document.mapping(
            node, "`said`", (), (*ways, "unlike", "threshold", "by", "within", "at_least")
        )
        if not any(way in entries for way in ways):
            document.wrong(node, "`said` lacks what is said: exact, lemma, regex or meaning.")
        for key in ("unlike", "threshold"):
            if key in entries and "meaning" not in entries:
                document.wrong(entries[key].key, f"`{key}` belongs to `meaning`, which is not here.")
        phrases = Phrases(
            exact=self._words(entries["exact"].value, "`exact`") if "exact" in entries else (),
            lemmas=self._words(entries["lemma"].value, "`lemma`") if "lemma" in entries else (),
            patterns=document.texts(entries["regex"].value, "`regex`", document.pattern)
            if "regex" in entries
            else (),
            examples=document.texts(entries["meaning"].value, "`meaning`") if "meaning" in entries else (),
            unlike=document.texts(entries["unlike"].value, "`unlike`") if "unlike" in entries else (),
            threshold=document.number(entries["threshold"].value, "`threshold`", 0, 1)
            if "threshold" in entries
            else self.threshold
            if "meaning" in entries
            else 0.0,
        )
        return Said(phrases, self._by(entries), self._within(entries, inside_each), self._at_least(entries))

    def _words(self, node: Node, what: str) -> tuple[str, ...]:
        texts = self.document.texts(node, what)
        items = self.document.one_or_more(node, what)
        for text, item in zip(texts, items, strict=False):
            plain = text.replace("...", "…").strip("… ")
            if text and not re.search(r"\w", plain):
                self.document.wrong(item, f"{what} has words, and {shown(text)} has none.")
        return texts

    def _metric(self, node: Node, inside_each: bool) -> Metric:
        optional = ("by", "within", "aggregate", *_OPERATORS)
        entries = self.document.mapping(node, "`metric`", ("of",), optional)
        column = self._column(entries["of"].value) if "of" in entries else None
        if column is None:
            return Metric(Column("calls", "duration_s"), Comparison("at_least", (0.0,)))
        return self._compared(node, entries, column, inside_each)

    def _sentiment(self, node: Node, inside_each: bool) -> Metric:
        optional = ("by", "within", "aggregate", *_OPERATORS)
        entries = self.document.mapping(node, "`sentiment`", (), optional)
        return self._compared(node, entries, Column("turns", "sentiment"), inside_each)

    def _compared(
        self, node: Node, entries: Mapping[str, Entry], column: Column, inside_each: bool
    ) -> Metric:
        document = self.document
        given = [operator for key in entries for operator in _OPERATORS if operator == key]
        comparison = Comparison("at_least", (0.0,))
        if len(given) != 1:
            wrong = entries[given[1]].key if given else node
            document.wrong(
                wrong, f"a comparison is one of {', '.join(_OPERATORS)}, and not {len(given)} of them."
            )
        else:
            comparison = self._comparison(given[0], entries[given[0]].value, column)
        aggregate: Aggregate = "mean"
        if "aggregate" in entries:
            word = document.choice(entries["aggregate"].value, "aggregate", _AGGREGATES)
            aggregate = next((each for each in _AGGREGATES if each == word), "mean")
            if column.table == "calls":
                document.wrong(
                    entries["aggregate"].key, "a call has one value of it, so there is nothing to aggregate."
                )
        elif comparison.operator == "equals" and column.table != "calls":
            aggregate = "any"
        if column.table == "calls" and "by" in entries:
            document.wrong(entries["by"].key, f"`{column}` is of the whole call and not of a role.")
        if column.table != "turns" and "within" in entries:
            document.wrong(
                entries["within"].key,
                f"`{column}` is of the whole call; only columns of turns have a place in it.",
            )
        return Metric(column, comparison, self._by(entries), self._within(entries, inside_each), aggregate)

    def _comparison(self, operator: Operator, node: Node, column: Column) -> Comparison:
        kind = _type_of(column)
        numeric = kind is None or pa.types.is_floating(kind) or pa.types.is_integer(kind)
        if operator != "equals":
            value = self.document.number(node, f"`{operator}`")
            if not numeric:
                self.document.wrong(node, f"`{column}` holds no numbers; compare it with `equals`.")
            return Comparison(operator, (value,))
        values: list[float | str | bool] = []
        for item in self.document.one_or_more(node, "`equals`"):
            if kind is not None and pa.types.is_boolean(kind):
                values.append(self.document.truth(item, f"`{column}`"))
            elif kind is not None and numeric:
                values.append(self.document.number(item, f"`{column}`"))
            else:
                known = next(each for each in TABLES[column.table].columns if each.name == column.name).values
                read = (
                    self.document.choice(item, column.name, known)
                    if known
                    else self.document.text(item, "`equals`")
                )
                values.append(read)
        return Comparison("equals", tuple(values))

    def _column(self, node: Node) -> Column | None:
        document = self.document
        text = document.text(node, "`of`")
        parsed = _COLUMN.fullmatch(text)
        if not parsed or parsed[1] not in _METRIC_TABLES:
            if text:
                document.wrong(
                    node,
                    f"{shown(text)} is no metric: those are columns of calls, speakers and turns.",
                )
            return None
        table, name, key, index = parsed.groups()
        known = [f"{each}.{column.name}" for each in _METRIC_TABLES for column in TABLES[each].columns]
        if f"{table}.{name}" not in known:
            nearest = [each for each in known if each.startswith(f"{table}.")]
            document.wrong(
                node, f"there is no column {shown(f'{table}.{name}')}{suggestion(f'{table}.{name}', nearest)}"
            )
            return None
        kind = next(column for column in TABLES[table].columns if column.name == name).type
        mistakes = len(document.mistakes)
        column = Column(table, name, int(index) if index else key)  # type: ignore[arg-type]
        if pa.types.is_map(kind) and key is None:
            document.wrong(node, f"`{table}.{name}` holds many values: name one, as in {table}.{name}.NAME.")
        elif pa.types.is_list(kind) and index is None:
            document.wrong(
                node,
                f"`{table}.{name}` is a list: name an item, as in {table}.{name}[0], or [-1] for the last.",
            )
        elif pa.types.is_struct(kind) and key not in [each.name for each in kind]:
            document.wrong(node, f"`{table}.{name}` has {', '.join(each.name for each in kind)}: name one.")
        elif not (pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_struct(kind)) and (
            key or index
        ):
            document.wrong(node, f"`{table}.{name}` holds one value, and nothing can be taken out of it.")
        return column if len(document.mistakes) == mistakes else None

    def _entity(self, node: Node, inside_each: bool) -> Entity:
        document = self.document
        entries = document.mapping(node, "`entity`", ("kind",), ("matching", "by", "within", "at_least"))
        kinds = (
            document.choices(entries["kind"].value, "kind of entity", ENTITY_KINDS)
            if "kind" in entries
            else ()
        )
        pattern = document.pattern(entries["matching"].value, "`matching`") if "matching" in entries else ""
        return Entity(
            kinds, pattern, self._by(entries), self._within(entries, inside_each), self._at_least(entries)
        )

    def _moment(self, node: Node, inside_each: bool) -> Moment:
        document = self.document
        entries = document.mapping(
            node, "`moment`", ("kind",), ("by", "to", "longer_than", "within", "at_least")
        )
        kinds = (
            document.choices(entries["kind"].value, "kind of moment", MOMENT_KINDS)
            if "kind" in entries
            else ()
        )
        to = document.choices(entries["to"].value, "role", ROLES) if "to" in entries else ()
        longer = (
            self._seconds(entries["longer_than"].value, "`longer_than`") if "longer_than" in entries else 0.0
        )
        return Moment(
            kinds, self._by(entries), to, longer, self._within(entries, inside_each), self._at_least(entries)
        )

    def _by(self, entries: Mapping[str, Entry]) -> tuple[str, ...]:
        return self.document.choices(entries["by"].value, "role", ROLES) if "by" in entries else ()

    def _at_least(self, entries: Mapping[str, Entry]) -> int:
        return self.document.whole(entries["at_least"].value, "`at_least`", 1) if "at_least" in entries else 1

    # Windows

    def _within(self, entries: Mapping[str, Entry], inside_each: bool) -> Window:
        if "within" not in entries:
            return Window()
        document, node = self.document, entries["within"].value
        given = document.mapping(node, "`within`", (), _WINDOW_KEYS)
        if isinstance(node, MappingNode) and not node.value:
            document.wrong(node, f"`within` is empty. Expected one or more of {', '.join(_WINDOW_KEYS)}.")
        if "for" in given and "after" not in given and "before" not in given:
            document.wrong(given["for"].key, "`for` goes with `after` or `before`, which are not here.")
        conditions: dict[str, Condition] = {}
        for key in ("after", "before", "while"):
            if key in given:
                conditions[key] = self.condition(given[key].value, inside_each)
                if key != "while":
                    self.located.append((conditions[key], given[key].value, f"`{key}`"))
        return Window(
            first=self._amount(given["first"].value, "`first`") if "first" in given else None,
            last=self._amount(given["last"].value, "`last`") if "last" in given else None,
            after=conditions.get("after"),
            before=conditions.get("before"),
            seconds=self._seconds(given["for"].value, "`for`") if "for" in given else None,
            during=conditions.get("while"),
        )

    def _amount(self, node: Node, what: str) -> Amount:
        text = node.value if isinstance(node, ScalarNode) else ""
        parsed = _AMOUNT.fullmatch(text.strip())
        if not parsed or not float(parsed[1]):
            self.document.wrong(
                node,
                f"{what} is a part of a call, such as 30 s, 2 min, 25 % or 3 turns, and not {shown(text)}.",
            )
            return Amount(0, "s")
        value, unit = float(parsed[1]), parsed[2]
        if unit == "%" and value > 100:
            self.document.wrong(node, f"{what} is 100 % at most, and not {text}.")
        if unit.startswith("turn") and value != int(value):
            self.document.wrong(node, f"{what} is a whole number of turns, and not {text}.")
        if unit == "min":
            return Amount(60 * value, "s")
        return Amount(value, "turns" if unit.startswith("turn") else "s" if unit == "s" else "%")

    def _seconds(self, node: Node, what: str) -> float:
        text = node.value if isinstance(node, ScalarNode) else ""
        parsed = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min)", text.strip())
        if not parsed:
            self.document.wrong(node, f"{what} is a time, such as 30 s or 2 min, and not {shown(text)}.")
            return 0.0
        return float(parsed[1]) * (60 if parsed[2] == "min" else 1)

    # What can only be checked when all is read

    def _check(self) -> None:
        known = [name for name in self.named if name]
        for name, node, inside_each in self.references:
            if name == THIS and not inside_each:
                self.document.wrong(node, f"`{THIS}` has a meaning in `requires` of an `each` only.")
            elif name != THIS and name not in self.named:
                self.document.wrong(
                    node, f"{shown(name)} is no criterion or condition of this file{suggestion(name, known)}"
                )
        circular = False
        for name in known:
            if circle := self._circle(name, ()):
                if circle[0] == name == min(circle):
                    path = " → ".join([*circle, name])
                    self.document.wrong(self.places[name], f"{shown(name)} depends on itself: {path}.")
                circular = True
        if circular:
            return
        for condition, node, where in self.located:
            if reason := self._nowhere(condition):
                self.document.wrong(node, f"{where} needs something that happens at a time, and {reason}.")

    def _circle(self, name: str, before: tuple[str, ...]) -> tuple[str, ...]:
        """The names on a way from `name` back to itself."""
        if name in before:
            return before[before.index(name) :]
        for other in _names(self.named.get(name, _NEVER)):
            if other in self.named and (circle := self._circle(other, (*before, name))):
                return circle
        return ()

    def _nowhere(self, condition: Condition) -> str:
        """Why a condition has no place in time; empty where it has."""
        match condition:
            case Not():
                return "what is not there has none"
            case Each():
                return "`each` has none"
            case Metric(column, _, _, _, aggregate):
                if column.table != "turns":
                    return f"`{column}` is of the whole call"
                if aggregate != "any":
                    each = "with `aggregate: any` each turn that meets it has"
                    return f"the {aggregate} of `{column}` has none; {each}"
            case All(conditions) | Any(conditions) | InOrder(conditions):
                return next((why for each in conditions if (why := self._nowhere(each))), "")
            case Named(name) if name in self.named:
                return self._nowhere(self.named[name])
        return ""


def _names(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Named):
        yield condition.name
    for part in parts(condition):
        yield from _names(part)


def _value(node: Node, key: str) -> Node | None:
    """The value of a key of a mapping."""
    if not isinstance(node, MappingNode):
        return None
    return next(
        (value for each, value in node.value if isinstance(each, ScalarNode) and each.value == key), None
    )


def _type_of(column: Column) -> pa.DataType | None:
    """The type of what a metric compares."""
    kind = next(each for each in TABLES[column.table].columns if each.name == column.name).type
    if pa.types.is_map(kind):
        kind = kind.item_type
    elif pa.types.is_list(kind):
        kind = kind.value_type
    elif pa.types.is_struct(kind):
        return next((each.type for each in kind if each.name == column.key), None)
    return kind
