"""The recogniser on a sample call, with the smallest real model: words, times, and nothing out of nothing."""

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sample_calls import SAMPLE_CALLS, samples_of, word_error

import models.recogniser
from models.loaded import LoadedModels
from models.recogniser import CHUNK_S, Recogniser
from models.speech import (
    SAMPLE_RATE,
    Interval,
    LanguageGuess,
    Samples,
    Segment,
    SpeechActivity,
    TimedWord,
    Vocabulary,
)

VOICEMAIL = SAMPLE_CALLS["voicemail"]
LENGTH = 10 * SAMPLE_RATE


@dataclass(frozen=True)
class Heard:
    samples: Samples
    activity: SpeechActivity
    segments: tuple[Segment, ...]

    @property
    def words(self) -> list[TimedWord]:
        return [word for segment in self.segments for word in segment.words]


@pytest.fixture(scope="module")
def recogniser(loaded: LoadedModels) -> Recogniser:
    return loaded.recogniser


@pytest.fixture(scope="module")
def heard(recogniser: Recogniser) -> Heard:
    samples = samples_of("voicemail")
    activity = recogniser.find_speech(samples)
    return Heard(samples, activity, recogniser.transcribe(samples, activity.chunks, "en", Vocabulary()))


def test_speech_is_found_where_somebody_speaks(heard: Heard) -> None:
    spoken = sum(word.duration for word in VOICEMAIL.words)
    found = sum(word.overlap(speech) for word in VOICEMAIL.words for speech in heard.activity.speech)
    assert found / spoken > 0.97
    assert heard.activity.seconds == sum(speech.duration for speech in heard.activity.speech)


def test_no_speech_is_found_in_the_silence_before_the_message(heard: Heard) -> None:
    first = VOICEMAIL.words[0].start
    assert heard.activity.speech[0].start == pytest.approx(first, abs=0.3)


def test_speech_is_cut_into_chunks_that_can_be_decoded_at_once(heard: Heard) -> None:
    chunks, speech = heard.activity.chunks, heard.activity.speech
    assert all(chunk.start >= 0.0 and chunk.duration <= CHUNK_S + 1e-6 for chunk in chunks)
    assert all(before.end <= after.start for before, after in pairwise(chunks))
    assert sum(stretch.overlap(chunk) for stretch in speech for chunk in chunks) == pytest.approx(
        heard.activity.seconds, abs=0.1
    )


def test_what_is_said_is_recognised(heard: Heard) -> None:
    text = " ".join(word.text for word in heard.words)
    assert word_error(VOICEMAIL.said_by("Puck"), text) < 0.25


def test_words_lie_within_the_stretch_they_were_decoded_from_and_in_order(heard: Heard) -> None:
    for segment in heard.segments:
        assert Interval(segment.start, segment.end) in heard.activity.chunks
        assert all(segment.start <= word.start <= word.end <= segment.end + 1e-6 for word in segment.words)
        assert all(before.start <= after.start for before, after in pairwise(segment.words))


def test_words_lie_about_where_they_are_said(heard: Heard) -> None:
    starts = {word.word.lower(): word.start for word in VOICEMAIL.words}
    once = [w.word.lower() for w in VOICEMAIL.words]
    late = [
        word.start - starts[text]
        for word in heard.words
        if once.count(text := word.text.strip(".,").lower()) == 1
    ]
    assert len(late) > 20
    assert abs(float(np.median(late))) < 0.1
    assert float(np.percentile(np.abs(late), 90)) < 0.3


def test_a_word_is_text_with_a_probability_and_says_where_its_times_come_from(heard: Heard) -> None:
    assert all(word.text == word.text.strip() and word.text for word in heard.words)
    assert all(any(letter.isalnum() for letter in word.text) for word in heard.words)
    assert all(0.0 <= word.confidence <= 1.0 for word in heard.words)
    assert {word.timing_source for word in heard.words} == {"cross_attention"}
    assert all(segment.mean_logprob <= 0.0 for segment in heard.segments)


def test_an_amount_of_money_is_one_word(heard: Heard) -> None:
    assert "$1,860," in [word.text for word in heard.words]


def written(*pieces: str) -> list[str]:
    """The words that pieces of Whisper's, one a second, are put together to."""
    alignment = [
        {"word": piece, "start": float(at), "end": at + 1.0, "probability": 0.9}
        for at, piece in enumerate(pieces)
    ]
    words = models.recogniser.joined_words(alignment, Interval(0.0, CHUNK_S), 0.0, "en")
    return [word.text for word in models.recogniser._with_numbers_joined(words)]


@pytest.mark.parametrize(
    ("spelled", "joined"),
    [
        ("7-1-5-1-3", "71513"),
        ("7-1-5-1-3.", "71513."),
        ("(0-8-0)", "(080)"),
        ("A4-1-2", "A412"),
        ("7-8", "7-8"),
        ("555-1234", "555-1234"),
        ("5-5-2020", "5-5-2020"),
        ("2020-5-5", "2020-5-5"),
        ("1-800-5-5-5", "1-800-5-5-5"),
        ("M-A-I-N", "M-A-I-N"),
        ("1,860", "1,860"),
    ],
)
def test_a_number_said_digit_by_digit_is_written_as_one_and_nothing_else_is(
    spelled: str, joined: str
) -> None:
    assert written(f" {spelled}") == [joined]


def test_digits_in_pieces_are_one_number_with_the_time_of_all_of_them() -> None:
    assert written(" code", " 7", "-1", "-", "5", "-1", "-3", ".", " Thanks") == ["code", "71513.", "Thanks"]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((" It's", " 7", ",", " 0", ",", " 0", ",", " 2", ",", " 3", "."), ["It's", "70023."]),
        ((" 7", " 0", " 0", " 2", " please"), ["7002", "please"]),
        ((" options", " 1", ",", " 2", ",", " 3", "."), ["options", "1,", "2,", "3."]),
        ((" 12", " 3", " 4", " 5"), ["12", "3", "4", "5"]),
    ],
)
def test_four_or_more_single_digits_are_one_number(pieces: tuple[str, ...], words: list[str]) -> None:
    assert written(*pieces) == words


def test_the_same_samples_give_the_same_words(recogniser: Recogniser, heard: Heard) -> None:
    first = heard.activity.chunks[:1]
    again = [recogniser.transcribe(heard.samples, first, "en", Vocabulary()) for _ in range(2)]
    assert again[0] == again[1]


def test_a_name_that_was_told_beforehand_is_written_as_it_was_told(recogniser: Recogniser) -> None:
    samples = samples_of("blood_pressure_review")
    [line] = [
        each for each in SAMPLE_CALLS["blood_pressure_review"].lines if each.start > 39.5 and each.end < 45
    ]

    def text(vocabulary: Vocabulary) -> str:
        segments = recogniser.transcribe(samples, [Interval(line.start, line.end)], "en", vocabulary)
        return " ".join(word.text for segment in segments for word in segment.words)

    assert "lisinopril" not in text(Vocabulary()).lower()
    assert "lisinopril" in text(Vocabulary(hotwords="lisinopril")).lower()


def test_of_a_vocabulary_that_is_too_long_as_much_is_shown_as_leaves_room_to_write(
    recogniser: Recogniser, heard: Heard
) -> None:
    long = Vocabulary(hotwords="lisinopril, " * 300, prompt="A call about a delivery. " * 300)
    [segment] = recogniser.transcribe(heard.samples, heard.activity.chunks[:1], "en", long)
    assert len(segment.words) > 10


def test_hotwords_are_shown_as_far_as_the_prompt_leaves_room_and_of_a_prompt_its_end() -> None:
    tokenizer: Any = SimpleNamespace(encode=lambda text: [int(number) for number in text.split()])

    def shown(hotwords: str, prompt: str) -> list[int]:
        return models.recogniser._shown(tokenizer, Vocabulary(hotwords, prompt), 4)

    assert shown("", "") == []
    assert shown("1 2", "7 8") == [1, 2, 7, 8]
    assert shown("1 2 3", "7 8") == [1, 2, 7, 8]
    assert shown("1 2 3 4 5", "") == [1, 2, 3, 4]
    assert shown("1", "5 6 7 8 9") == [6, 7, 8, 9]


def test_no_chunks_give_no_words(recogniser: Recogniser) -> None:
    assert recogniser.transcribe(np.zeros(LENGTH, np.float32), [], "en", Vocabulary()) == ()


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(LENGTH, np.float32),
        (0.3 * np.sin(2 * np.pi * 440 * np.arange(LENGTH) / SAMPLE_RATE)).astype(np.float32),
        np.random.default_rng(0).normal(0.0, 0.1, LENGTH).astype(np.float32),
        np.zeros(1600, np.float32),
    ],
    ids=["silence", "a tone", "noise", "a tenth of a second"],
)
def test_nobody_is_heard_where_nobody_speaks(recogniser: Recogniser, samples: Samples) -> None:
    assert recogniser.find_speech(samples) == SpeechActivity((), ())


@pytest.mark.parametrize(
    ("no_speech_probability", "mean_logprob", "silent"),
    [
        (0.93, -1.29, True),
        (0.89, -0.999, True),  # the impulse response of a room, and "thank you"
        (0.87, -0.46, True),  # another, and endless digits
        (0.7, -0.5, False),
        (0.9, -0.1, False),
        (0.19, -2.0, False),
    ],
)
def test_a_chunk_is_silence_by_its_probability_and_by_how_likely_its_words_are(
    no_speech_probability: float, mean_logprob: float, silent: bool
) -> None:
    decoded = SimpleNamespace(no_speech_prob=no_speech_probability, scores=[mean_logprob])
    assert models.recogniser._is_silence(decoded) == silent


class Looping:
    """A Whisper that says "no" for as long as it may, and is itself where it must not repeat itself."""

    def __init__(self, model: Any, tokens: list[int]) -> None:
        self.model, self.tokens = model, tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, *asked: Any, **options: Any) -> Any:
        if options["no_repeat_ngram_size"]:
            return self.model.generate(*asked, **options)
        looped = SimpleNamespace(no_speech_prob=0.1, scores=[-0.08], sequences_ids=[self.tokens])
        return [looped] * len(asked[1])


def test_a_chunk_in_which_the_recogniser_loops_is_decoded_again(
    recogniser: Recogniser, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    whisper = recogniser._whisper
    loop = whisper.hf_tokenizer.encode(" no" * 200, add_special_tokens=False).ids
    monkeypatch.setattr(whisper, "model", Looping(whisper.model, loop))
    segments = recogniser.transcribe(heard.samples, heard.activity.chunks, "en", Vocabulary())
    text = " ".join(word.text for segment in segments for word in segment.words)
    assert "no no" not in text
    assert word_error(VOICEMAIL.said_by("Puck"), text) < 0.3


def test_a_model_for_one_language_takes_all_speech_for_it(recogniser: Recogniser, heard: Heard) -> None:
    assert recogniser.detect_language(heard.samples, heard.activity.chunks) == LanguageGuess("en", 1.0)
    assert recogniser.languages == {"en"}
    assert not recogniser.multilingual


def hesitant(votes: dict[str, float], likelihoods: dict[str, float]) -> Recogniser:
    """A recogniser that hears `votes` for languages, and words as likely as `likelihoods` say in each."""
    guesses = [(f"<|{code}|>", share) for code, share in votes.items()]
    made = Recogniser.__new__(Recogniser)
    model = SimpleNamespace(is_multilingual=True, detect_language=lambda _: [guesses])
    heard = {
        "_whisper": SimpleNamespace(encode=lambda _: None, model=model),
        "_features": lambda *_: None,
        "_likelihood": lambda _, __, language: likelihoods[language],
    }
    made.__dict__.update(heard)
    return made


@pytest.mark.parametrize(
    ("votes", "likelihoods", "code"),
    [
        ({"la": 0.4, "en": 0.3, "cy": 0.05, "fr": 0.25}, {"la": -0.5, "en": -0.3, "fr": -0.9}, "en"),
        ({"la": 0.4, "en": 0.3, "fr": 0.3}, {"la": -0.2, "en": -0.3, "fr": -0.9}, "la"),
        ({"es": 0.8, "it": 0.2}, {}, "es"),
    ],
    ids=["the words decide", "the words agree", "the vote is clear"],
)
def test_where_the_vote_on_the_language_is_close_the_likeliest_words_decide(
    votes: dict[str, float], likelihoods: dict[str, float], code: str
) -> None:
    guess = hesitant(votes, likelihoods).detect_language(np.zeros(LENGTH, np.float32), [Interval(0.0, 5.0)])
    assert guess.code == code
    assert guess.confidence == pytest.approx(votes[code])
