"""What roles, topics and the gist of a call sound like: example sentences and phrases, in files for users.

The files are read once and their sentences embedded once, for all calls of a process. They are no part of the
settings by which a call is transcribed again; `Examples.sha256` says which files a call was read with.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

from models.errors import UsageError
from models.language import Embeddings
from pipelines.analytics.wording import Phrases
from pipelines.tables import KINDS, ROLES

ANY_KIND: Final = "any"
GIST_PARTS: Final = ("reason", "outcome", "next_steps")
SHIPPED: Final = Path(__file__).resolve().parents[2] / "data"
"""Where the files are that come with Callfolio."""


@dataclass(frozen=True)
class Concept:
    """Something that is said in many ways: sentences that mean it, some that are only like it, and phrases
    by language. `roles`, where it is not empty, are those who say it."""

    name: str
    examples: tuple[str, ...] = ()
    counterexamples: tuple[str, ...] = ()
    phrases: Mapping[str, Phrases] = field(default_factory=dict)
    roles: tuple[str, ...] = ()

    def said_in(self, language: str) -> Phrases:
        """The phrases of a language, none where the file has none."""
        return self.phrases.get(language, _NO_PHRASES)


class Concepts:
    """Concepts that are told from each other, and how near sentences are to each."""

    def __init__(self, concepts: Sequence[Concept], embedder: "Embeds | None") -> None:
        """Embed the examples, where there is a model that does."""
        self.concepts = tuple(concepts)
        self.names = tuple(concept.name for concept in concepts)
        self._examples = _matrices([concept.examples for concept in concepts], embedder)
        forms = [
            np.array([text.rstrip().endswith("?") for text in concept.examples], bool) for concept in concepts
        ]
        embedded = [] if embedder is None else list(zip(self._examples, forms, strict=True))
        self._questions = [matrix[asks] for matrix, asks in embedded]
        self._statements = [matrix[~asks] for matrix, asks in embedded]
        self._counterexamples = _matrices([concept.counterexamples for concept in concepts], embedder)

    def __getitem__(self, name: str) -> Concept:
        """The concept of a name."""
        return self.concepts[self.names.index(name)]

    def nearness(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine to the nearest example of each concept, shape `(sentences, concepts)`."""
        return _nearest(embeddings, self._examples)

    def nearness_by_form(self, embeddings: Embeddings, questions: NDArray[np.bool_]) -> Embeddings:
        """As `nearness`, but questions are held against questions only, and other sentences against others.

        Embeddings tell what is spoken of and hardly whether it is asked or answered, and that tells roles.
        """
        asked, told = (_nearest(embeddings, of_form) for of_form in (self._questions, self._statements))
        return np.where(questions[:, None], asked, told)

    def nearness_to_counterexamples(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine to the nearest counterexample of each concept, −1 where it has none; shape as `nearness`."""
        return _nearest(embeddings, self._counterexamples)


@dataclass(frozen=True)
class Examples:
    """All that the files have, by kind of conversation. `sha256` is over the bytes of all files."""

    roles: Mapping[str, Concepts]
    announcement: Concepts
    topics: Mapping[str, Concepts]
    gist: Mapping[str, Concepts]
    sha256: str


class Embeds(Protocol):
    """What makes embeddings of texts."""

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """One of unit length for each text, shape `(texts, EMBEDDING_SIZE)`."""
        ...


@cache
def examples_in(folder: Path = SHIPPED, embedder: Embeds | None = None) -> Examples:
    """Read `roles/*.yaml`, `topics/*.yaml` and `gist/*.yaml` of `folder`, once for each embedder.

    Of these three, one that `folder` does not have is the one that comes with Callfolio.

    Raises `UsageError` that names the file and what was expected there.
    """
    folders = {
        part: folder / part if (folder / part).is_dir() else SHIPPED / part
        for part in ("roles", "topics", "gist")
    }
    files = {part: sorted(of_part.glob("*.yaml")) for part, of_part in folders.items()}
    read = {part: [(path, _mapping(path)) for path in paths] for part, paths in files.items()}
    digest = hashlib.sha256()
    for paths in files.values():
        for path in paths:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    roles = _by_kind(folders["roles"], read["roles"], _role_concepts, (*KINDS, ANY_KIND))
    for kind, expected in (
        ("contact_center", {"agent", "customer"}),
        ("consultation", {"doctor", "patient"}),
    ):
        if {concept.name for concept in roles[kind]} != expected:
            raise UsageError(
                f"The roles of kind {kind} in {folders['roles']} are to be {' and '.join(sorted(expected))}."
            )
    topics = _by_kind(folders["topics"], read["topics"], _topic_concepts, KINDS)
    gist = _by_kind(folders["gist"], read["gist"], _gist_concepts, KINDS)
    return Examples(
        {kind: Concepts(roles[kind], embedder) for kind in KINDS},
        Concepts(roles[ANY_KIND], embedder),
        {kind: Concepts(topics[kind], embedder) for kind in KINDS},
        {kind: Concepts(gist[kind], embedder) for kind in KINDS},
        digest.hexdigest(),
    )


_NO_PHRASES: Final = Phrases()


def _matrices(texts: Sequence[Sequence[str]], embedder: Embeds | None) -> list[NDArray[np.float32]]:
    """The embeddings of each concept's texts, all embedded together."""
    every = [text for of_concept in texts for text in of_concept]
    if embedder is None or not every:
        return [np.zeros((0, 0), np.float32) for _ in texts]
    ends = np.cumsum([len(of_concept) for of_concept in texts])
    return np.split(embedder.embed(every), ends[:-1])


def _nearest(embeddings: NDArray[np.float32], matrices: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    nearest = np.full((len(embeddings), len(matrices)), -1.0, np.float32)
    for column, matrix in enumerate(matrices):
        if matrix.size:
            nearest[:, column] = (embeddings @ matrix.T).max(axis=1)
    return nearest


def _by_kind(
    folder: Path,
    read: Sequence[tuple[Path, Mapping[str, Any]]],
    concepts: Callable[[Path, Mapping[str, Any]], Iterator[Concept]],
    kinds: Sequence[str],
) -> dict[str, list[Concept]]:
    """The concepts of all files of a folder, by the kind that each says it is of."""
    found: dict[str, list[Concept]] = {}
    for path, content in read:
        kind = str(content.get("kind"))
        if kind not in kinds:
            raise UsageError(f"{path}: expected kind to be one of {', '.join(kinds)}, found {kind!r}.")
        for concept in concepts(path, content):
            if any(concept.name == other.name for other in found.get(kind, [])):
                raise UsageError(f"{path}: {concept.name} of kind {kind} is there twice.")
            found.setdefault(kind, []).append(concept)
    if missing := [kind for kind in kinds if kind not in found]:
        raise UsageError(f"{folder} has no file of kind {' and none of kind '.join(missing)}.")
    return found


def _role_concepts(path: Path, content: Mapping[str, Any]) -> Iterator[Concept]:
    _only(path, "the file", content, ("kind", "roles"))
    for role, said in _section(path, content, "roles").items():
        if role not in ROLES:
            raise UsageError(f"{path}, roles: {role!r} is no role; roles are {', '.join(ROLES)}.")
        yield _concept(path, role, said, ("examples", "phrases"))


def _topic_concepts(path: Path, content: Mapping[str, Any]) -> Iterator[Concept]:
    _only(path, "the file", content, ("kind", "topics"))
    for topic, examples in _section(path, content, "topics").items():
        yield Concept(str(topic), _texts(path, f"topics, {topic}", examples))


def _gist_concepts(path: Path, content: Mapping[str, Any]) -> Iterator[Concept]:
    _only(path, "the file", content, ("kind", *GIST_PARTS))
    for part in GIST_PARTS:
        yield _concept(
            path, part, _section(path, content, part), ("examples", "counterexamples", "phrases", "roles")
        )


def _concept(path: Path, name: str, said: Any, parts: Sequence[str]) -> Concept:
    if not isinstance(said, Mapping):
        raise UsageError(f"{path}, {name}: expected {' and '.join(parts)}, found {said!r}.")
    _only(path, name, said, parts)
    phrases = said.get("phrases", {})
    if not isinstance(phrases, Mapping):
        raise UsageError(
            f"{path}, {name}, phrases: expected phrases by language, such as en, found {phrases!r}."
        )
    return Concept(
        name,
        _texts(path, f"{name}, examples", said.get("examples", [])),
        _texts(path, f"{name}, counterexamples", said.get("counterexamples", [])),
        {
            str(language): Phrases(_texts(path, f"{name}, phrases, {language}", of_language))
            for language, of_language in phrases.items()
        },
        _texts(path, f"{name}, roles", said.get("roles", [])),
    )


def _section(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    if not isinstance(section, Mapping) or not section:
        raise UsageError(f"{path}: expected a section {name}, found {section!r}.")
    return section


def _only(path: Path, where: str, content: Mapping[str, Any], names: Sequence[str]) -> None:
    if unknown := [str(name) for name in content if name not in names]:
        raise UsageError(f"{path}, {where}: {', '.join(unknown)} is none of {', '.join(names)}.")


def _texts(path: Path, where: str, texts: Any) -> tuple[str, ...]:
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise UsageError(
            f"{path}, {where}: expected a list of texts, found {texts!r:.80}. Quote yes, no and numbers."
        )
    return tuple(texts)


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise UsageError(f"{path}{where}: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: expected names and values, found {type(content).__name__}.")
    return content
