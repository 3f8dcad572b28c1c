"""Every metric on examples worked out by hand, and against the library that defines it."""

from dataclasses import replace
from typing import Any

import meeteval
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation
from pyannote.core import Segment as PyannoteSegment
from pyannote.metrics.diarization import DiarizationErrorRate
from spoken import SPEAKERS, conversations, renamed, segments, spoken

from models.errors import UsageError
from pipelines.evaluation.document import Document, Segment, Span, Word, from_segments
from pipelines.evaluation.metrics.diarization import diarization_errors
from pipelines.evaluation.metrics.silence import words_in_silence
from pipelines.evaluation.rates import DiarizationError, ErrorRate, Rate, Share, TimeErrors
from pipelines.evaluation.scoring import Rules, score

PLAIN = Rules("none")


def values(reference: Document, hypothesis: Document, rules: Rules = PLAIN) -> dict[str, Any]:
    return dict(score(reference, hypothesis, rules).values)


def with_words(document: Document, *words: Word) -> Document:
    return replace(document, words=words, word_times=True)


# Words


def test_wer_counts_each_kind_of_error() -> None:
    found = values(spoken("A the card is lost"), spoken("A a card was lost now"))
    assert found["wer"] == ErrorRate(substitutions=2, deletions=0, insertions=1, length=4)
    assert found["wer"].rate == 0.75


def test_cer_counts_characters_and_the_blanks_between_words() -> None:
    assert values(spoken("A my card"), spoken("A my cards"))["cer"] == ErrorRate(0, 0, 1, 7)


def test_where_there_are_no_blanks_they_are_no_characters() -> None:
    reference, heard = (replace(spoken(text), language="ja") for text in ("A 今日は雨", "A 今日 は 雪"))
    found = values(reference, heard, Rules())
    assert found["wer"] == found["cer"] == ErrorRate(1, 0, 0, 4)


def test_what_is_ignored_is_not_scored() -> None:
    reference = spoken("A my card", "B yes sure", "A bye now", seconds=2.0)
    heard = spoken("1 my card", "1 never this", "1 bye now", seconds=2.0)
    told = replace(
        reference,
        words=tuple(word for word in reference.words or () if word.speaker == "A"),
        ignored=(Span(2.0, 4.0),),
    )
    found = values(told, heard)
    assert found["wer"] == ErrorRate(0, 0, 0, 4)
    assert found["der"] == DiarizationError(0.0, 0.0, 0.0, 4.0)
    assert found["hallucination"].count == 0


def test_an_empty_hypothesis_loses_every_word() -> None:
    found = values(spoken("A my card", "B yes"), Document("call", "", words=(), speech=()))
    assert found["wer"] == found["cpwer"] == found["tcpwer"] == ErrorRate(0, 3, 0, 3)
    assert found["speaker_error"] == Share(0, 0)
    assert found["der"] == DiarizationError(2.0, 0.0, 0.0, 2.0)
    assert found["speaker_count"] == Share(0, 1)


def test_an_empty_reference_makes_every_word_an_insertion() -> None:
    found = values(spoken(), spoken("A yes"))
    assert found["wer"] == found["cpwer"] == found["tcpwer"] == ErrorRate(0, 0, 1, 0)


def test_two_silences_have_no_errors() -> None:
    assert values(spoken(), spoken())["wer"] == ErrorRate(0, 0, 0, 0)


# Speakers


def test_wer_does_not_see_speakers_and_cpwer_does() -> None:
    found = values(spoken("A my card", "B yes sure"), spoken("A my card yes", "B sure"))
    assert found["wer"].rate == 0.0
    # `yes` is inserted into what A says and lacks in what B says.
    assert found["cpwer"] == ErrorRate(0, 1, 1, 4)
    assert found["speaker_error"] == Share(1, 4)


def test_words_of_two_merged_speakers_are_the_smaller_ones_errors() -> None:
    found = values(spoken("A my card is lost", "B yes sure"), spoken("S my card is lost yes sure"))
    assert found["cpwer"] == ErrorRate(0, 2, 2, 6)
    assert found["speaker_error"] == Share(2, 6)
    assert found["speaker_count"] == Share(0, 1)


def test_only_matched_words_can_have_the_wrong_speaker() -> None:
    found = values(spoken("A my card", "B yes"), spoken("A my cart", "B yes no"))
    assert found["speaker_error"] == Share(0, 2)


def test_words_of_nobody_are_someone_elses_and_nobody_is_no_speaker() -> None:
    found = values(spoken("A my card", "B yes"), spoken("S1 my card", "UNKNOWN yes"))
    assert found["speaker_error"] == Share(1, 3)
    assert found["speaker_count"] == Share(0, 1)
    assert values(spoken("A my card", "A yes"), spoken("S1 my card", "UNKNOWN yes"))[
        "speaker_count"
    ] == Share(1, 1)


def test_near_a_turn_change_is_within_a_second_of_the_end_or_the_start_of_a_turn() -> None:
    # Words of 1 s each: A from 0 to 4, B from 4 to 8. The change is at 4, and touching 3 or 5 is near.
    reference = spoken("A aaa bbb ccc ddd", "B eee fff ggg hhh", seconds=4.0)
    wrong = spoken("A aaa bbb ccc", "B ddd eee fff ggg hhh", seconds=4.0)
    found = values(reference, wrong)
    assert found["speaker_error"] == Share(1, 8)
    assert found["speaker_error_at_changes"] == Share(1, 4)


def test_without_times_there_is_no_near() -> None:
    reference = spoken("A my card", "B yes")
    untimed = replace(
        reference, words=tuple(replace(w, start=None, end=None) for w in reference.words or ()), speech=None
    )
    found = values(untimed, reference)
    assert "cpwer" in found
    assert found.keys().isdisjoint({"tcpwer", "speaker_error_at_changes", "der", "word_times"})


def test_without_speakers_there_is_wer_only() -> None:
    reference = spoken("A my card", "B yes")
    words = tuple(replace(word, speaker=None) for word in reference.words or ())
    found = values(reference, replace(reference, words=words, speech=None))
    assert found.keys() == {"wer", "cer", "hallucination"}


def test_without_words_there_is_what_speech_tells() -> None:
    reference = replace(spoken("A my card", "B yes"), words=None)
    assert values(reference, spoken("A my card", "B yes")).keys() == {
        "der",
        "der_collar",
        "hallucination",
        "speaker_count",
    }


def test_tcpwer_takes_no_word_for_one_that_is_too_far_away() -> None:
    reference = spoken("A yes no", seconds=1.0)
    late = with_words(reference, Word("yes", "A", 9.0, 9.5), Word("no", "A", 9.5, 10.0))
    assert values(reference, late, Rules("none", collar=5.0))["tcpwer"] == ErrorRate(0, 2, 2, 2)
    assert values(reference, late, Rules("none", collar=9.0))["tcpwer"].rate == 0.0


def test_roles_are_those_of_the_speakers_who_are_matched() -> None:
    reference = spoken("agent how can i help", "caller my card is lost")
    heard = spoken("S1 how can i help", "S2 my card is lost")
    right = replace(heard, roles={"S1": "agent", "S2": "customer"})
    swapped = replace(heard, roles={"S1": "customer", "S2": "agent"})
    half = replace(heard, roles={"S1": "agent", "S2": "unknown"})
    assert [values(reference, one)["roles"].rate for one in (right, swapped, half)] == [1.0, 0.0, 0.5]
    assert "roles" not in values(reference, heard)
    assert "roles" not in values(spoken("A how can i help", "B my card is lost"), right)


def test_too_many_speakers_are_refused_in_words() -> None:
    with pytest.raises(UsageError, match="Speakers cannot be compared"):
        values(spoken("A yes"), spoken(*(f"S{number} yes" for number in range(21))))


@given(segments(), segments())
def test_cpwer_and_tcpwer_are_those_of_meeteval(said: list[Segment], heard: list[Segment]) -> None:
    reference, hypothesis = (
        meeteval.io.SegLST(
            [
                {"speaker": one.speaker, "words": one.text, "start_time": one.start, "end_time": one.end}
                for one in side
            ]
        )
        for side in (said, heard)
    )
    # Not 5 s: words that are exactly so far apart would be a matter of rounding.
    cp = meeteval.wer.cp_word_error_rate(reference, hypothesis)
    tcp = meeteval.wer.time_constrained_minimum_permutation_word_error_rate(
        reference, hypothesis, collar=5.03
    )
    found = values(
        from_segments("call", "made", said), from_segments("call", "made", heard), Rules("none", collar=5.03)
    )
    assert sum(found["cpwer"].counts[:-1]) == cp.errors
    assert sum(found["tcpwer"].counts[:-1]) == tcp.errors
    assert found["cpwer"].length == found["tcpwer"].length == tcp.length


# Diarization


def test_der_has_missed_speech_false_alarm_and_confusion_in_seconds() -> None:
    reference = [Span(0.0, 10.0, "A"), Span(10.0, 20.0, "B")]
    hypothesis = [Span(0.0, 12.0, "1"), Span(12.0, 18.0, "2"), Span(20.0, 21.0, "2")]
    assert diarization_errors(reference, hypothesis, None, 0.0) == DiarizationError(2.0, 1.0, 2.0, 20.0)


def test_a_collar_leaves_out_so_much_on_either_side_of_a_boundary() -> None:
    reference, hypothesis = [Span(1.0, 5.0, "A")], [Span(1.25, 5.5, "A")]
    assert diarization_errors(reference, hypothesis, None, 0.0) == DiarizationError(0.25, 0.5, 0.0, 4.0)
    assert diarization_errors(reference, hypothesis, None, 0.25) == DiarizationError(0.0, 0.25, 0.0, 3.5)


def test_only_what_is_to_be_scored_is_scored() -> None:
    reference, hypothesis = [Span(0.0, 4.0, "A")], [Span(0.0, 2.0, "A"), Span(6.0, 9.0, "A")]
    assert diarization_errors(reference, hypothesis, [Span(1.0, 7.0)], 0.0) == DiarizationError(
        2.0, 1.0, 0.0, 3.0
    )


def test_overlapped_speech_counts_for_each_speaker() -> None:
    reference = [Span(0.0, 4.0, "A"), Span(2.0, 4.0, "B")]
    assert diarization_errors(reference, [Span(0.0, 4.0, "1")], None, 0.0) == DiarizationError(
        2.0, 0.0, 0.0, 6.0
    )


@given(conversations(), conversations(), st.sampled_from((0.0, 0.25)))
def test_der_is_that_of_pyannote_metrics(reference: Document, hypothesis: Document, collar: float) -> None:
    def annotation(document: Document) -> Annotation:
        found = Annotation()
        for track, span in enumerate(document.speech or ()):
            found[PyannoteSegment(span.start, span.end), track] = span.speaker
        return found

    metric = DiarizationErrorRate(collar=2 * collar)
    with pytest.warns(UserWarning, match="uem"):
        expected = metric(annotation(reference), annotation(hypothesis), detailed=True)
    found = diarization_errors(reference.speech or (), hypothesis.speech or (), None, collar)
    assert found.counts == pytest.approx(
        [expected[name] for name in ("missed detection", "false alarm", "confusion", "total")]
    )


# Times and silence


def test_word_times_are_compared_where_words_match() -> None:
    reference = with_words(spoken("A yes no"), Word("yes", "A", 1.0, 1.5), Word("no", "A", 2.0, 2.5))
    heard = with_words(spoken("A yes no"), Word("yes", "A", 1.125, 1.25), Word("now", "A", 3.0, 3.5))
    assert values(reference, heard)["word_times"] == TimeErrors((0.125,), (0.25,))


def test_times_of_segments_are_no_word_times() -> None:
    assert "word_times" not in values(spoken("A yes no"), spoken("A yes no"))


def test_words_in_silence_are_counted_by_their_middle_and_the_minute() -> None:
    reference = Document("call", "made", speech=(Span(30.25, 59.75, "A"),))
    heard = [Word("x", "1", start, start + 1) for start in (0.0, 28.5, 29.4, 29.6, 45.0, 60.1, 70.0)]
    # Speech and its margin are from 30 to 60 s; the words in the middle of 0.5, 29, 29.9, 60.6, 70.5 are not.
    assert words_in_silence(reference, heard, 90.0) == Share(5, 1.0)


def test_a_call_without_speech_is_silent_all_along() -> None:
    silent = replace(spoken(), facts={"duration_s": 120.0})
    assert values(silent, spoken("A thank you"))["hallucination"] == Share(2, 2.0)


def test_silence_is_only_where_the_reference_is_scored() -> None:
    reference = Document("call", "made", speech=(), scored=(Span(0.0, 30.0), Span(60.0, 90.0)))
    heard = [Word("x", "1", start, start) for start in (10.0, 40.0, 70.0)]
    assert words_in_silence(reference, heard, 90.0) == Share(2, 1.0)


def test_missed_speech_is_what_the_store_says() -> None:
    heard = replace(spoken("A yes"), facts={"uncovered_speech_s": 2.0, "speech_s": 8.0})
    assert values(spoken("A yes"), heard)["missed_speech"] == Share(2.0, 8.0)


# All of them


@given(conversations(least=1))
def test_a_perfect_hypothesis_has_no_errors(document: Document) -> None:
    found = values(document, document)
    for name, value in found.items():
        if name != "speaker_count":
            assert isinstance(value, Rate)
            assert sum(value.counts[:-1]) == 0, name
    assert found["speaker_count"] == Share(1, 1)
    assert {"wer", "cer", "cpwer", "tcpwer", "speaker_error", "der", "der_collar"} <= found.keys()


@given(conversations(), conversations(), st.permutations(SPEAKERS))
def test_other_names_for_the_speakers_change_nothing(
    reference: Document, hypothesis: Document, names: list[str]
) -> None:
    other = renamed(hypothesis, dict(zip(SPEAKERS, names, strict=True)))
    before, after = values(reference, hypothesis), values(reference, other)
    for name in before:
        if name in ("der", "der_collar"):
            assert before[name].counts == pytest.approx(after[name].counts)
        elif name not in ("speaker_error", "speaker_error_at_changes", "cpwer", "tcpwer"):
            assert before[name] == after[name]
    # Where two mappings of speakers are equally good, either may be taken.
    for name in ("cpwer", "tcpwer"):
        assert before[name].rate == after[name].rate


@given(conversations(least=1), conversations())
def test_cpwer_is_never_better_than_with_perfect_speakers_and_tcpwer_never_better_than_cpwer(
    reference: Document, hypothesis: Document
) -> None:
    found = values(reference, hypothesis)
    assert found["tcpwer"].rate >= found["cpwer"].rate
    assert found["speaker_error"].count <= found["speaker_error"].length <= len(reference.words or ())
    assert found["speaker_error_at_changes"].length <= found["speaker_error"].length
