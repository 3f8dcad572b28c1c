"""A YAML file as a tree that knows where each value stands, and the mistakes found in it.

ruamel.yaml composes the tree: it is YAML 1.2 (`no` is a word, not false) and gives line and column of every
key and value. What is wrong is written down and reading goes on, so that a file's mistakes come all at once.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from models.errors import UsageError
from pipelines.scorecards.expressions import compiled

_TAG: Final = "tag:yaml.org,2002:"
_FEW: Final = 12
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong in a file: line and column count from 1; the sentence says what is expected."""

    line: int
    column: int
    sentence: str


class Mistaken(UsageError):
    """Files of scorecards or categories have mistakes: `mistakes` by file."""

    def __init__(self, mistakes: Mapping[Path, Sequence[Mistake]]) -> None:
        """All mistakes of all files, each with file, line and column."""
        self.mistakes = {path: tuple(sorted(set(found))) for path, found in mistakes.items()}
        lines = [
            f"{path}:{mistake.line}:{mistake.column}: {mistake.sentence}"
            for path, found in self.mistakes.items()
            for mistake in found
        ]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Entry:
    """A key of a mapping with its value."""

    key: Node
    value: Node


class Document:
    """One file being read. Methods return something harmless where they write a mistake down."""

    def __init__(self, path: Path, text: str) -> None:
        """Compose the tree of `text`; `path` is for the messages."""
        self.path = path
        self.mistakes: list[Mistake] = []
        self.root: Node | None = None
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                if isinstance(event, AliasEvent):
                    self.wrong(
                        event, "aliases (*name) are not read; what is used twice is named in `conditions`."
                    )
            self.root = None if self.mistakes else YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            self.mistakes.append(
                Mistake(line, column, f"this is not YAML: {error.problem or error.context}.")
            )
        except YAMLError as error:
            self.mistakes.append(Mistake(1, 1, f"this is not YAML: {str(error).splitlines()[0]}."))
        except RecursionError:
            self.mistakes.append(Mistake(1, 1, "this is nested too deeply."))
        else:
            if self.root is None and not self.mistakes:
                self.mistakes.append(Mistake(1, 1, "the file is empty."))

    def wrong(self, node: Node | AliasEvent, sentence: str) -> None:
        """Write a mistake down at the place of `node`."""
        mark = node.start_mark
        self.mistakes.append(Mistake(mark.line + 1, mark.column + 1, sentence))

    def mapping(
        self, node: Node, what: str, required: Collection[str], optional: Collection[str] = ()
    ) -> dict[str, Entry]:
        """The entries of a mapping that has the required keys and may have the optional ones."""
        entries = self.entries(node, what)
        known = [*required, *optional]
        for key in list(entries):
            if key not in known:
                self.wrong(entries[key].key, f"{what} has no key {shown(key)}{suggestion(key, known)}")
                del entries[key]
        if isinstance(node, MappingNode):
            for key in required:
                if key not in entries:
                    self.wrong(node, f"{what} lacks the key `{key}`.")
        return entries

    def entries(self, node: Node, what: str) -> dict[str, Entry]:
        """The entries of a mapping with any keys."""
        if not isinstance(node, MappingNode):
            self.wrong(node, f"{what} is keys with values (`key: value`), and not {_kind(node)}.")
            return {}
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.wrong(key, f"a key of {what} is a word, and not {_kind(key)}.")
            elif key.value in entries:
                line = entries[key.value].key.start_mark.line + 1
                self.wrong(key, f"{what} has {shown(key.value)} already in line {line}.")
            else:
                if isinstance(value, ScalarNode) and not value.value and not value.style:
                    value.start_mark = key.end_mark  # what is left empty stands after its key
                entries[key.value] = Entry(key, value)
        return entries

    def items(self, node: Node, what: str) -> Sequence[Node]:
        """The items of a list, which has one at least."""
        if not isinstance(node, SequenceNode):
            self.wrong(node, f"{what} is a list (lines that begin with `- `), and not {_kind(node)}.")
            return []
        if not node.value:
            self.wrong(node, f"{what} is empty; it has one item at least.")
        items: Sequence[Node] = node.value
        return items

    def one_or_more(self, node: Node, what: str) -> Sequence[Node]:
        """The items of a list, or the one value that stands in its place."""
        return self.items(node, what) if isinstance(node, SequenceNode) else [node]

    def text(self, node: Node, what: str) -> str:
        """A text that is not empty. Numbers and the like are texts too, as they are written."""
        if not isinstance(node, ScalarNode) or node.tag == f"{_TAG}null" or not node.value.strip():
            self.wrong(node, f"{what} is a text, and not {_kind(node)}.")
            return ""
        return " ".join(node.value.split())

    def pattern(self, node: Node, what: str) -> str:
        """A regular expression."""
        if not isinstance(node, ScalarNode) or not node.value:
            self.wrong(node, f"{what} is a regular expression, and not {_kind(node)}.")
            return ""
        try:
            expression = compiled(node.value)
        except re.error as error:
            self.wrong(node, f"{shown(node.value)} is not a regular expression: {error}.")
            return ""
        if expression.match(""):
            self.wrong(node, f"{shown(node.value)} is found everywhere, as it may be empty.")
        return str(node.value)

    def name(self, node: Node, what: str) -> str:
        """A name that can stand in a table and be referred to."""
        name = self.text(node, what)
        if name and not _NAME.fullmatch(name):
            self.wrong(node, f"{what} has letters, digits, and . _ - only, and is not {shown(name)}.")
        return name

    def number(self, node: Node, what: str, least: float | None = None, most: float | None = None) -> float:
        """A number between `least` and `most`."""
        bounds = (
            f" from {least:g} to {most:g}"
            if least is not None and most is not None
            else f" from {least:g} on"
            if least is not None
            else ""
        )
        value = 0.0
        try:
            if not isinstance(node, ScalarNode) or node.tag not in (f"{_TAG}int", f"{_TAG}float"):
                raise ValueError
            value = float(node.value.replace("_", ""))
            if (
                not (float("-inf") if least is None else least)
                <= value
                <= (float("inf") if most is None else most)
            ):
                raise ValueError
        except ValueError:
            self.wrong(node, f"{what} is a number{bounds}, and not {_kind(node)}.")
            return least or 0.0
        return value

    def whole(self, node: Node, what: str, least: int) -> int:
        """A whole number from `least` on."""
        if (
            not isinstance(node, ScalarNode)
            or not re.fullmatch(r"\d+", node.value)
            or int(node.value) < least
        ):
            self.wrong(node, f"{what} is a whole number from {least} on, and not {_kind(node)}.")
            return least
        return int(node.value)

    def truth(self, node: Node, what: str) -> bool:
        """`true` or `false`."""
        if not isinstance(node, ScalarNode) or node.tag != f"{_TAG}bool":
            self.wrong(node, f"{what} is true or false, and not {_kind(node)}.")
            return False
        return bool(node.value.lower() == "true")

    def choice(self, node: Node, what: str, known: Sequence[str]) -> str:
        """One of the known words."""
        word = self.text(node, what)
        if word and word not in known:
            self.wrong(node, f"{shown(word)} is no {what}{suggestion(word, known)}")
        return word

    def choices(self, node: Node, what: str, known: Sequence[str]) -> tuple[str, ...]:
        """One or a list of the known words."""
        return tuple(self.choice(item, what, known) for item in self.one_or_more(node, what))

    def texts(self, node: Node, what: str, read: Callable[[Node, str], str] | None = None) -> tuple[str, ...]:
        """One text or a list of them."""
        return tuple((read or self.text)(item, what) for item in self.one_or_more(node, what))


def shown(text: str) -> str:
    """A text of the file as a message shows it."""
    short = text if len(text) <= 60 else f"{text[:57]}…"
    return f'"{short}"'


def suggestion(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: what it may have been meant to be, and what there is."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    if not near or len(known) <= _FEW:
        return f". Expected {'one of ' if len(known) > 1 else ''}{', '.join(known) or 'nothing here'}.{meant}"
    return f".{meant}"


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "keys with values"
    if isinstance(node, SequenceNode):
        return "a list"
    if node.tag == f"{_TAG}null" or not node.value:
        return "empty"
    return shown(" ".join(node.value.split()))
