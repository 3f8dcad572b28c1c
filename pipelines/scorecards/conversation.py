"""What judging sees of a call: the rows that a store holds of it, and nothing else."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.language import EMBEDDING_SIZE
from pipelines.tables import UNKNOWN, Row

_TOKEN: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_APOSTROPHES: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


@dataclass(frozen=True)
class Token:
    """A word as it is compared: lower case, without punctuation; `word` is its place in `words`."""

    text: str
    word: int
    turn: int


@dataclass(frozen=True)
class Conversation:
    """The rows of one call: its row of `calls`, and the tables that there are, each with this call's rows.

    A table or column that the store lacks is missing here too, and what asks for it cannot be judged.
    """

    call: Row
    tables: Mapping[str, pa.Table]

    @property
    def call_id(self) -> str:
        """The call."""
        return str(self.call["call_id"])

    @property
    def duration(self) -> float:
        """Length of the call in seconds."""
        return float(self.call["duration_s"])

    def has(self, table: str, column: str) -> bool:
        """Whether there is such a column; it may hold nothing all the same."""
        return table in self.tables and column in self.tables[table].column_names

    def column(self, table: str, column: str) -> list[Any]:
        """The values of a column, in order of the rows; empty where there is no such column."""
        cache: dict[tuple[str, str], list[Any]] = self._columns
        if (table, column) not in cache:
            found = self.tables[table][column].to_pylist() if self.has(table, column) else []
            cache[table, column] = found
        return cache[table, column]

    @cached_property
    def _columns(self) -> dict[tuple[str, str], list[Any]]:
        return {}

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """The role of each speaker."""
        return dict(zip(self.column("speakers", "speaker"), self.column("speakers", "role"), strict=True))

    @cached_property
    def role_confidence(self) -> Mapping[str, float]:
        """How sure the role of each speaker is, 0 to 1."""
        names, values = self.column("speakers", "speaker"), self.column("speakers", "role_confidence")
        return dict(zip(names, values, strict=True))

    @cached_property
    def unknown(self) -> frozenset[str]:
        """The speakers who have words and no role that is known."""
        spoken = zip(self.column("speakers", "speaker"), self.column("speakers", "words"), strict=True)
        return frozenset(
            name for name, words in spoken if words and (name == UNKNOWN or self.roles[name] == "unknown")
        )

    def speakers(self, roles: Sequence[str]) -> frozenset[str]:
        """The speakers who have one of the roles; all of them where no role is given."""
        return frozenset(name for name, role in self.roles.items() if not roles or role in roles)

    # Words

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """Where each word starts, in seconds."""
        return np.asarray(self.column("words", "start_s"), np.float64)

    @cached_property
    def ends(self) -> NDArray[np.float64]:
        """Where each word ends, in seconds."""
        return np.asarray(self.column("words", "end_s"), np.float64)

    @cached_property
    def word_confidence(self) -> NDArray[np.float64]:
        """Confidence of each word, 0 to 1."""
        return np.asarray(self.column("words", "confidence"), np.float64)

    @cached_property
    def speaker_confidence(self) -> NDArray[np.float64]:
        """How sure it is who says each word, 0 to 1."""
        return np.asarray(self.column("words", "speaker_confidence"), np.float64)

    @cached_property
    def words_of_turn(self) -> Mapping[int, range]:
        """The places in `words` of each turn's words."""
        first: dict[int, int] = {}
        after: dict[int, int] = {}
        for place, turn in enumerate(self.column("words", "turn")):
            first.setdefault(turn, place)
            after[turn] = place + 1
        return {turn: range(first[turn], after[turn]) for turn in first}

    @cached_property
    def tokens(self) -> Sequence[Token]:
        """All words as they are compared. A word such as `e-mail` is two."""
        turns = self.column("words", "turn")
        return [
            Token(text, place, turns[place])
            for place, word in enumerate(self.column("words", "word"))
            for text in tokens_of(word)
        ]

    @cached_property
    def token_places(self) -> Mapping[str, Sequence[int]]:
        """Where each token stands in `tokens`."""
        places: dict[str, list[int]] = {}
        for place, token in enumerate(self.tokens):
            places.setdefault(token.text, []).append(place)
        return places

    def texts_of_turn(self, turn: int) -> Mapping[int, str]:
        """The tokens of a turn, by their places in `tokens`."""
        return self._texts_of_turn.get(turn, {})

    @cached_property
    def _texts_of_turn(self) -> Mapping[int, dict[int, str]]:
        texts: dict[int, dict[int, str]] = {}
        for place, token in enumerate(self.tokens):
            texts.setdefault(token.turn, {})[place] = token.text
        return texts

    @cached_property
    def text(self) -> str:
        """The texts of all turns, a line each, so that one search goes through the call."""
        return "\n".join(text.replace("\n", " ") for text in self.column("turns", "text"))

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        """Where the text of each row of `turns` begins in `text`."""
        lengths = [len(text) + 1 for text in self.column("turns", "text")]
        return [0, *accumulate(lengths)]

    def words_between(self, start: int, end: int) -> tuple[int, range]:
        """The turn in which a stretch of `text` begins, and the places in `words` of the words it touches."""
        row = bisect_right(self._line_starts, start) - 1
        turn = self.column("turns", "turn")[row]
        begin = self._line_starts[row]
        touched = [
            place
            for place, first, after in self._spelling(row)
            if first + begin < end and start < after + begin
        ]
        return turn, range(touched[0], touched[-1] + 1) if touched else range(0)

    def _spelling(self, row: int) -> Sequence[tuple[int, int, int]]:
        """Of each word of a row of `turns`: its place in `words`, its begin and its end in the row's text."""
        if row not in self._spellings:
            words, text = self.column("words", "word"), self.column("turns", "text")[row]
            spans, begin = [], 0
            for place in self.words_of_turn.get(self.column("turns", "turn")[row], range(0)):
                at = text.find(words[place], begin)
                if at >= 0:
                    begin = at + len(words[place])
                    spans.append((place, at, begin))
            self._spellings[row] = spans
        return self._spellings[row]

    @cached_property
    def _spellings(self) -> dict[int, Sequence[tuple[int, int, int]]]:
        return {}

    @cached_property
    def searched(self) -> dict[str, Sequence[tuple[int, int]] | None]:
        """Regular expressions that were looked for, and from where to where in `text` each is found.

        None where that took too long. Whoever looks for one writes it down here.
        """
        return {}

    def words_of(self, roles: tuple[str, ...]) -> NDArray[np.bool_]:
        """Which words are said by one of the roles; all where no role is given."""
        return self._said_by("words", roles)

    def sentences_of(self, roles: tuple[str, ...]) -> NDArray[np.bool_]:
        """Which sentences are said by one of the roles; all where no role is given."""
        return self._said_by("sentences", roles)

    def _said_by(self, table: str, roles: tuple[str, ...]) -> NDArray[np.bool_]:
        if (table, roles) not in self._said:
            speakers = self.speakers(roles)
            own = [speaker in speakers for speaker in self.column(table, "speaker")]
            self._said[table, roles] = np.asarray(own, bool)
        return self._said[table, roles]

    @cached_property
    def _said(self) -> dict[tuple[str, tuple[str, ...]], NDArray[np.bool_]]:
        return {}

    @cached_property
    def sentence_starts(self) -> NDArray[np.float64]:
        """Where each sentence starts, in seconds."""
        return np.asarray(self.column("sentences", "start_s"), np.float64)

    @cached_property
    def lemma_places(self) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Where each lemma stands: the row in `sentences` and the place in its `lemmas`."""
        places: dict[str, list[tuple[int, int]]] = {}
        for row, lemmas in enumerate(self.column("sentences", "lemmas")):
            for place, lemma in enumerate(lemmas):
                places.setdefault(lemma, []).append((row, place))
        return places

    @cached_property
    def embeddings(self) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The places in `sentences` that have an embedding, and these, shape `(n, 384)`; None without any."""
        if not self.has("sentences", "embedding"):
            return None
        column = self.tables["sentences"]["embedding"]
        lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
        places = np.flatnonzero(lengths == EMBEDDING_SIZE)
        if not len(places):
            return None
        numbers = np.asarray(pc.list_flatten(column), np.float32)
        begins = np.cumsum(lengths) - lengths
        rows = [numbers[begins[place] : begins[place] + EMBEDDING_SIZE] for place in places]
        return places, np.stack(rows)


def tokens_of(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, apostrophes alike, without punctuation."""
    return _TOKEN.findall(text.translate(_APOSTROPHES).lower())
