"""Conversations that nobody held, for tests of how they are scored."""

from dataclasses import replace

from hypothesis import strategies as st

from pipelines.evaluation.document import Document, Segment, from_segments

WORDS = ("yes", "no", "a", "card", "lost", "my", "the", "bank")
SPEAKERS = ("A", "B", "C")


def spoken(*turns: str, call: str = "call", seconds: float = 1.0) -> Document:
    """A document of turns such as `"A yes my card"`, one after the other, each so many seconds long."""
    said = []
    for number, turn in enumerate(turns):
        speaker, _, text = turn.partition(" ")
        said.append(Segment(text, speaker, number * seconds, (number + 1) * seconds))
    return from_segments(call, "made", said)


def renamed(document: Document, names: dict[str, str]) -> Document:
    """The same with other names for its speakers."""
    assert document.words is not None
    assert document.speech is not None
    return replace(
        document,
        words=tuple(replace(word, speaker=names[word.speaker or ""]) for word in document.words),
        speech=tuple(replace(span, speaker=names[span.speaker]) for span in document.speech),
        roles={names[name]: role for name, role in document.roles.items()},
    )


@st.composite
def segments(draw: st.DrawFn, least: int = 0) -> list[Segment]:
    """Turns of two to four words, with pauses between them and some overlap."""
    found, start = [], 0.0
    for _ in range(draw(st.integers(least, 6))):
        start += draw(st.sampled_from((0.5, 1.0, 3.0)))
        text = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=4)))
        found.append(Segment(text, draw(st.sampled_from(SPEAKERS)), start, start + 1.0))
    return found


def conversations(least: int = 0) -> st.SearchStrategy[Document]:
    """Documents of such turns."""
    return segments(least).map(lambda found: from_segments("call", "made", found))
