"""What users say that roles, topics, and the gist of a call sound like: example sentences and phrases in files.

The files are read once and their sentences embedded once, for all calls of a process. They are no part of the
settings by which a call is transcribed again; `Examples.sha256` says which files a call was read with.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from models.errors import UsageError
from pipelines.analytics.wording import Phrases
from pipelines.tables import KINDS, ROLES

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""From texts to their embeddings of unit length, shape `(texts, dimension)`."""

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

    def __init__(self, concepts: Sequence[Concept], embed: Embed | None) -> None:
        """Embed the examples, where there is a model that does."""
        self.concepts = tuple(concepts)
        self.names = tuple(concept.name for concept in concepts)
        self._examples = _matrices([concept.examples for concept in concepts], embed)
        self._counterexamples = _matrices([concept.counterexamples for concept in concepts], embed)

    def __getitem__(self, name: str) -> Concept:
        """The concept of a name."""
        return self.concepts[self.names.index(name)]

    def nearness(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine to the nearest example of each concept, shape `(sentences, concepts)`."""
        return _nearest(embeddings, self._examples)

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


@cache
def examples_in(folder: Path = SHIPPED, embed: Embed | None = None) -> Examples:
    """Read `roles/*.yaml`, `topics/*.yaml` and `gist/*.yaml` of `folder`, once in a process.

    Raises `UsageError` that names the file and what was expected there.
    """
    files = {part: sorted((folder / part).glob("*.yaml")) for part in ("roles", "topics", "gist")}
    read = {part: [(path, _mapping(path)) for path in paths] for part, paths in files.items()}
    digest = hashlib.sha256()
    for paths in files.values():
        for path in paths:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    roles = _by_kind(folder / "roles", read["roles"], _role_concepts, (*KINDS, ANY_KIND))
    for kind, expected in (("contact_center", {"agent", "customer"}), ("consultation", {"doctor", "patient"})):
        if {concept.name for concept in roles[kind]} != expected:
            raise UsageError(f"The roles of kind {kind} in {folder / 'roles'} are to be {' and '.join(sorted(expected))}.")
    topics = _by_kind(folder / "topics", read["topics"], _topic_concepts, KINDS)
    gist = _by_kind(folder / "gist", read["gist"], _gist_concepts, KINDS)
    return Examples(
        {kind: Concepts(roles[kind], embed) for kind in KINDS},
        Concepts(roles[ANY_KIND], embed),
        {kind: Concepts(topics[kind], embed) for kind in KINDS},
        {kind: Concepts(gist[kind], embed) for kind in KINDS},
        digest.hexdigest(),
    )
