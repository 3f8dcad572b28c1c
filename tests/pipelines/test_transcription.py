"""What is said on each track, and in which language, by the smallest real model."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sample_calls import SAMPLE_CALLS, word_error

from models.loaded import LoadedModels
from models.recogniser import Recogniser
from models.speech import (
    SAMPLE_RATE,
    Interval,
    LanguageGuess,
    Segment,
    SpeechActivity,
    TimedWord,
    Vocabulary,
)
from pipelines.channels import separate
from pipelines.cross_talk import without_cross_talk
from pipelines.decoding import decode
from pipelines.failures import LanguageUnsupported
from pipelines.transcription import VERBATIM, choose_language, find_speech, transcribe
from pipelines.word_times import LONGEST_WORD_S

KNEE_PAIN = SAMPLE_CALLS["knee_pain"]
SILENCE = np.zeros(SAMPLE_RATE, np.float32)
NOTHING = SpeechActivity((), ())


@pytest.fixture(scope="module")
def recogniser(loaded: LoadedModels) -> Recogniser:
    return loaded.recogniser


def chosen(given: str | None, recogniser: Recogniser) -> LanguageGuess:
    heard = SpeechActivity((Interval(0.0, 1.0),), (Interval(0.0, 1.0),))
    return choose_language(Path("a.opus"), [SILENCE], [heard], given, recogniser)


def test_a_language_that_is_given_is_certain(recogniser: Recogniser) -> None:
    assert chosen("en", recogniser) == LanguageGuess("en", 1.0)


def test_a_language_that_the_model_cannot_write_is_a_failure_of_that_recording(
    recogniser: Recogniser,
) -> None:
    with pytest.raises(LanguageUnsupported, match=r'a\.opus is said to be in "es", .*\(it knows en\)'):
        chosen("es", recogniser)


def test_without_speech_there_is_nothing_to_transcribe(recogniser: Recogniser) -> None:
    assert transcribe([SILENCE, SILENCE], [NOTHING, NOTHING], "en", Vocabulary(), recogniser, None) == (
        (),
        (),
    )


PLAIN = Vocabulary()
SPOKEN = tuple(Interval(30.0 * i, 30.0 * i + 29.0) for i in range(3))


class Listener:
    """A recogniser that hears the prompt that it is shown, and keeps what it was shown for each chunk."""

    def __init__(self, likelihoods: dict[str, float] | None = None) -> None:
        self.likelihoods = likelihoods or {}
        self.shown: dict[Interval, list[Vocabulary]] = {}

    def transcribe(self, *asked: Any) -> tuple[Segment, ...]:
        _, chunks, _, vocabulary = asked
        for chunk in chunks:
            self.shown.setdefault(chunk, []).append(vocabulary)
        likelihood = self.likelihoods.get(vocabulary.prompt, -0.2)
        word = TimedWord(0.0, 0.1, vocabulary.prompt or "plain", 0.9, "cross_attention")
        return tuple(Segment(chunk.start, chunk.end, (word,), likelihood) for chunk in chunks)

    def hear(
        self,
        *sides: tuple[Interval, ...],
        language: str = "en",
        vocabulary: Vocabulary = PLAIN,
        verbatim: bool = True,
    ) -> list[str]:
        """What is heard on the first side, chunk by chunk."""
        tracks, activity = [SILENCE] * len(sides), [SpeechActivity(spoken, spoken) for spoken in sides]
        recogniser = cast(Recogniser, self)
        heard = transcribe(tracks, activity, language, vocabulary, recogniser, None, verbatim=verbatim)
        return [word.text for segment in heard[0] for word in segment.words]


def test_in_a_conversation_a_recogniser_is_shown_that_what_is_said_twice_is_written_twice() -> None:
    listener = Listener()
    assert listener.hear(SPOKEN, vocabulary=Vocabulary("Omeprazole")) == [VERBATIM["en"]] * 3
    assert listener.shown[SPOKEN[2]] == [Vocabulary("Omeprazole", VERBATIM["en"])]


def test_the_first_chunk_is_decoded_with_it_and_without_and_what_is_likelier_is_taken() -> None:
    listener = Listener({VERBATIM["en"]: -0.3})
    assert listener.hear(SPOKEN) == ["plain", VERBATIM["en"], VERBATIM["en"]]
    assert len(listener.shown[SPOKEN[0]]) == 2


def test_what_is_not_longer_than_a_chunk_may_be_read_aloud_and_is_recognised_as_it_is() -> None:
    assert Listener().hear(SPOKEN[:1]) == ["plain"]


def test_a_side_that_says_little_is_in_the_same_conversation() -> None:
    assert Listener().hear(SPOKEN[:1], SPOKEN) == [VERBATIM["en"]]


def test_a_side_that_says_nothing_has_no_words() -> None:
    assert Listener().hear((), SPOKEN) == []


def test_a_prompt_of_the_users_own_is_shown_instead() -> None:
    listener = Listener()
    own = Vocabulary(prompt="Dr. Nowak, Station 3.")
    assert listener.hear(SPOKEN, vocabulary=own) == [own.prompt] * 3
    assert listener.shown[SPOKEN[0]] == [own]


def test_nothing_is_shown_in_a_language_without_such_a_text_or_with_the_lever_off() -> None:
    assert Listener().hear(SPOKEN, language="es") == ["plain"] * 3
    assert Listener().hear(SPOKEN, verbatim=False) == ["plain"] * 3


@pytest.mark.slow
def test_each_side_of_a_split_call_is_transcribed_by_itself(recogniser: Recogniser) -> None:
    tracks = [
        track[: 20 * SAMPLE_RATE] for track in without_cross_talk(separate(decode(KNEE_PAIN.path))).tracks
    ]
    activity = find_speech(tracks, recogniser)
    transcripts = transcribe(tracks, activity, "en", Vocabulary(), recogniser, None)
    for speaker, channel in KNEE_PAIN.channels.items():
        words = [word for segment in transcripts[channel - 1] for word in segment.words]
        said = " ".join(word.word for word in KNEE_PAIN.words if word.speaker == speaker and word.end < 20.0)
        assert word_error(said, " ".join(word.text for word in words)) < 0.35
        assert all(word.end <= 20.0 and word.duration <= LONGEST_WORD_S for word in words)
