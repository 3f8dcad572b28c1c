"""Made dialogues with their roles, read as a recogniser's turns would be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml
from made_calls import said

from models.embedder import Embedder
from models.parser import Parser
from models.sentiment import SentimentModel
from pipelines.analytics.reading import read
from pipelines.settings import Kind
from pipelines.transcript import Reading, Speaker, Turn

_parser, _sentiment = Parser(), SentimentModel()
_WORD_S = 0.25


@dataclass(frozen=True)
class Dialogue:
    """Who says what; `roles` are those of the speakers."""

    name: str
    kind: Kind
    language: str
    roles: dict[str, str]
    lines: tuple[tuple[str, str], ...]

    def speakers(self) -> tuple[Speaker, ...]:
        """Those who say something, of whom nothing is known."""
        return strangers(*dict.fromkeys(speaker for speaker, _ in self.lines))


@cache
def dialogues(name: str) -> tuple[Dialogue, ...]:
    """The dialogues of `dialogues_NAME.yaml`."""
    entries = yaml.safe_load(Path(__file__).with_name(f"dialogues_{name}.yaml").read_text("utf-8"))
    return tuple(
        Dialogue(
            entry["name"], entry["kind"], entry.get("language", "en"), entry["roles"], lines(entry["lines"])
        )
        for entry in entries
    )


def lines(text: str) -> tuple[tuple[str, str], ...]:
    """Lines such as `A: Good morning.` as speaker and text."""
    pairs = (line.split(": ", 1) for line in text.strip().splitlines())
    return tuple((speaker.strip(), said) for speaker, said in pairs)


def strangers(*names: str) -> tuple[Speaker, ...]:
    return tuple(Speaker(name, "unknown", 0.0, 0, ()) for name in names)


def read_all(several: Sequence[Dialogue], embedder: Embedder) -> dict[str, Reading]:
    """The reading of each dialogue by its name; their sentences are embedded all at once, which is faster."""
    readings = {each.name: read_lines(each.lines, each.language) for each in several}
    served = [each.name for each in several if embedder.serves(each.language)]
    embeddings = iter(embedder.embed([s.text for name in served for s in readings[name].sentences]))
    for name in served:
        sentences = tuple(replace(s, embedding=next(embeddings)) for s in readings[name].sentences)
        readings[name] = replace(readings[name], sentences=sentences)
    return readings


def read_lines(
    spoken: tuple[tuple[str, str], ...], language: str = "en", embedder: Embedder | None = None
) -> Reading:
    """The reading of lines that are said one after another."""
    turns: list[Turn] = []
    for speaker, text in spoken:
        start = turns[-1].end if turns else 0.0
        turns.append(
            Turn(
                tuple(
                    said(start + place * _WORD_S, start + (place + 1) * _WORD_S, speaker, word)
                    for place, word in enumerate(text.split())
                )
            )
        )
    return read(turns, language, _parser, _sentiment, embedder)
