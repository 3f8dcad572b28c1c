"""Figures of many calls: sums, intervals, slices, comparisons, and calls that only one side has."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken import conversations, spoken

from models.errors import UsageError
from pipelines.evaluation.document import Document
from pipelines.evaluation.evaluation import FIGURES, Estimate, differences, estimates, evaluate, slices
from pipelines.evaluation.formats import Documents
from pipelines.evaluation.rates import ErrorRate, Share, TimeErrors
from pipelines.evaluation.scoring import CallScore, Rules

PLAIN = Rules("none")


def by_name(*documents: Document) -> dict[str, Document]:
    return {document.call: document for document in documents}


def scored(call: str, **facts: object) -> CallScore:
    return CallScore(call, "none", {"wer": ErrorRate(1, 0, 0, 10)}, (), {}, facts)


def with_wer(*errors_and_words: tuple[int, int]) -> list[CallScore]:
    return [
        replace(scored(str(index)), values={"wer": ErrorRate(errors, 0, 0, words)})
        for index, (errors, words) in enumerate(errors_and_words)
    ]


def figure(name: str, found: Sequence[Estimate]) -> Estimate:
    return next(of for of in found if of.figure.name == name)


# Sums


@given(st.lists(st.tuples(conversations(), conversations()), min_size=1, max_size=3))
def test_a_figure_of_all_calls_is_that_of_their_sums(calls: list[tuple[Document, Document]]) -> None:
    references = {str(index): replace(pair[0], call=str(index)) for index, pair in enumerate(calls)}
    hypotheses = {str(index): replace(pair[1], call=str(index)) for index, pair in enumerate(calls)}
    together = evaluate(references, hypotheses, PLAIN).scores
    alone = [
        evaluate({call: references[call]}, {call: hypotheses[call]}, PLAIN).scores[0] for call in references
    ]
    assert list(together) == alone
    for of in estimates(together):
        parts = [one.values[of.figure.metric] for one in alone if of.figure.metric in one.values]
        assert of.of == sum(parts)
        if of.figure.name == of.figure.metric:
            assert of.value == pytest.approx(of.of.rate)  # type: ignore[attr-defined]


def test_delta_cp_is_cpwer_less_wer() -> None:
    reference = by_name(spoken("A my card", "B yes sure"))
    found = estimates(evaluate(reference, by_name(spoken("A my card yes", "B sure")), PLAIN).scores)
    assert figure("wer", found).value == 0.0
    assert figure("cpwer", found).value == figure("delta_cp", found).value == 0.5


def test_word_times_are_the_quantiles_of_all_words() -> None:
    scores = [
        replace(scored("a"), values={"word_times": TimeErrors(tuple(range(1, 61)), (0.0,) * 60)}),
        replace(scored("b"), values={"word_times": TimeErrors(tuple(range(61, 101)), (0.5,) * 40)}),
    ]
    found = estimates(scores)
    assert figure("word_start_median", found).value == 50
    assert figure("word_start_p95", found).value == 95
    assert figure("word_end_median", found).value == 0.0


def test_a_figure_that_no_call_has_is_left_out() -> None:
    assert [of.figure.name for of in estimates([scored("a")])] == ["wer"]
    assert estimates([replace(scored("a"), values={"speaker_error": Share(0, 0)})]) == []
    assert estimates([]) == []


def test_a_figure_says_of_how_many_calls_it_is() -> None:
    scores = [scored("a"), replace(scored("b"), values={"wer": ErrorRate(0, 0, 0, 9), "der": Share(1, 2)})]
    assert {of.figure.name: of.calls for of in estimates(scores)} == {"wer": 2, "der": 1}


def test_figures_have_names_of_their_own() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


# Intervals


def test_calls_that_are_alike_leave_no_doubt() -> None:
    [of] = estimates(with_wer(*[(1, 10)] * 20))
    assert (of.value, of.low, of.high) == (0.1, 0.1, 0.1)


def test_one_call_has_no_interval() -> None:
    [of] = estimates(with_wer((1, 10)))
    assert (of.value, of.low, of.high) == (0.1, None, None)


def test_the_interval_is_that_of_drawing_calls() -> None:
    generator = np.random.default_rng(5)
    errors = generator.integers(0, 20, size=40)
    [of] = estimates(with_wer(*((int(count), 100) for count in errors)))
    means = generator.choice(errors / 100, size=(4000, 40)).mean(axis=1)
    assert of.low == pytest.approx(np.quantile(means, 0.025), abs=0.004)
    assert of.high == pytest.approx(np.quantile(means, 0.975), abs=0.004)
    assert estimates(with_wer(*((int(count), 100) for count in errors))) == [of]


# Calls that only one side has


def test_a_missing_call_loses_all_its_words() -> None:
    references = by_name(spoken("A yes", call="a"), spoken("A my card", call="b"))
    found = evaluate(references, by_name(spoken("A yes", call="a")), PLAIN)
    assert found.without_hypothesis == ("b",)
    assert figure("wer", estimates(found.scores)).of == ErrorRate(0, 2, 0, 3)
    assert figure("speaker_count", estimates(found.scores)).value == 0.5


def test_a_missing_call_may_be_left_out() -> None:
    references = by_name(spoken("A yes", call="a"), spoken("A my card", call="b"))
    found = evaluate(references, by_name(spoken("A yes", call="a")), PLAIN, only_paired=True)
    assert figure("wer", estimates(found.scores)).of == ErrorRate(0, 0, 0, 1)
    assert found.without_hypothesis == ("b",)


def test_a_missing_call_counts_in_no_figure_that_the_others_lack() -> None:
    references = by_name(spoken("A yes", call="a"), spoken("A my card", call="b"))
    words = tuple(replace(word, start=None, end=None) for word in references["a"].words or ())
    untimed = replace(references["a"], words=words, speech=None)
    names = {of.figure.name for of in estimates(evaluate(references, by_name(untimed), PLAIN).scores)}
    assert names == {"wer", "cer", "cpwer", "delta_cp", "speaker_error", "speaker_count"}


def test_a_call_without_a_reference_is_named_and_not_scored() -> None:
    hypotheses = by_name(spoken("A yes", call="a"), spoken("A no", call="b"))
    found = evaluate(by_name(spoken("A yes", call="a")), hypotheses, PLAIN)
    assert found.without_reference == ("b",)
    assert [of.call for of in found.scores] == ["a"]


def test_one_reference_and_one_hypothesis_belong_together_whatever_their_names() -> None:
    found = evaluate(by_name(spoken("A yes", call="ref")), by_name(spoken("A yes", call="hyp")), PLAIN)
    assert [of.call for of in found.scores] == ["ref"]
    assert (found.without_hypothesis, found.without_reference) == ((), ())


def test_a_file_about_one_call_may_name_it_in_its_lines(tmp_path: Path) -> None:
    said, heard = tmp_path / "said", tmp_path / "heard"
    said.mkdir()
    heard.mkdir()
    (said / "all.stm").write_text("x 1 A 0 1 yes\ny 1 A 0 1 no\nz 1 A 0 1 sure\n")
    (heard / "x.hyp.stm").write_text("x 1 A 0 1 yes\n")
    (heard / "y.stm").write_text("call 1 A 0 1 no\n")
    (heard / "z.stm").write_text("call 1 A 0 1 sure\n")
    found = evaluate(Documents([said]), Documents([heard]), PLAIN)
    assert (found.without_hypothesis, found.without_reference) == ((), ())
    assert figure("wer", estimates(found.scores)).of == ErrorRate(0, 0, 0, 3)
    back = evaluate(Documents([heard]), Documents([said]), PLAIN)
    assert sorted(of.call for of in back.scores) == ["x.hyp", "y", "z"]


def test_a_call_that_cannot_be_scored_is_named() -> None:
    many = spoken(*(f"S{number} yes" for number in range(21)), call="town_hall")
    with pytest.raises(UsageError, match=r"(?s)town_hall.*21 speakers"):
        evaluate(by_name(many), by_name(many), PLAIN)


def test_names_that_have_nothing_in_common_are_refused() -> None:
    references = by_name(spoken("A yes", call="a"), spoken("A yes", call="b"))
    with pytest.raises(UsageError, match="the references are of a, b, the hypotheses of c"):
        evaluate(references, by_name(spoken("A yes", call="c")), PLAIN)


def test_the_normaliser_goes_by_the_language_of_the_call() -> None:
    spanish = replace(spoken("A adiós"), language="es")
    assert evaluate(by_name(spanish), by_name(spanish), Rules()).scores[0].normaliser == "basic"
    unnamed = spoken("A one hundred dollars")
    [of] = evaluate(by_name(unnamed), by_name(spoken("A $100")), Rules()).scores
    assert of.normaliser == "english"
    assert of.values["wer"] == ErrorRate(0, 0, 0, 1)
    [of] = evaluate(by_name(spanish), by_name(spanish), Rules(language="en")).scores
    assert of.normaliser == "english"


def test_what_is_compared_is_normalised_alike() -> None:
    reference = by_name(spoken("A twenty five", call="a"))
    as_spanish = by_name(replace(spoken("A twenty five", call="a"), language="es"))
    as_english = by_name(spoken("A 25", call="a"))
    mine = evaluate(reference, as_english, Rules())
    theirs = evaluate(reference, as_spanish, Rules(), like=mine)
    assert [of.normaliser for of in (*mine.scores, *theirs.scores)] == ["english", "english"]
    assert theirs.scores[0].values["wer"] == mine.scores[0].values["wer"]


# Slices


def test_calls_are_sliced_by_a_name() -> None:
    scores = [scored("a", queue="sales"), scored("b", queue="billing"), scored("c", queue="sales")]
    groups = [(label, [of.call for of in group]) for label, group in slices(scores, "queue")]
    assert groups == [("billing", ["b"]), ("sales", ["a", "c"])]


def test_few_numbers_are_groups_and_many_are_cut_into_quartiles() -> None:
    few = [scored(str(number), channels=number % 2 + 1) for number in range(8)]
    assert [(label, len(group)) for label, group in slices(few, "channels")] == [("1", 4), ("2", 4)]
    many = [scored(str(number), snr_db=float(number)) for number in range(9)]
    assert [(label, [of.call for of in group]) for label, group in slices(many, "snr_db")] == [
        ("0 to 2", ["0", "1"]),
        ("2 to 4", ["2", "3"]),
        ("4 to 6", ["4", "5"]),
        ("6 to 8", ["6", "7", "8"]),
    ]


def test_what_is_unknown_is_a_group_at_the_end() -> None:
    scores = [scored("a", snr_db=None), scored("b", snr_db=3.0), scored("c")]
    assert [(label, len(group)) for label, group in slices(scores, "snr_db")] == [("3", 1), ("unknown", 2)]


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no_such .*queue"):
        slices([scored("a", queue="sales")], "no_such")


# Comparison


def test_a_difference_is_paired_call_by_call() -> None:
    # Calls differ wildly; that each is better by one error in a hundred words is certain all the same.
    mine = with_wer(*((errors, 100) for errors in (1, 50, 20, 90, 5, 33)))
    theirs = with_wer(*((errors + 1, 100) for errors in (1, 50, 20, 90, 5, 33)))
    [of] = differences(mine, theirs)
    assert of.difference == pytest.approx(-0.01)
    assert of.low == pytest.approx(-0.01)
    assert of.high == pytest.approx(-0.01)
    assert of.verdict == "better"
    assert differences(theirs, mine)[0].verdict == "worse"


def test_no_difference_is_said_to_be_none() -> None:
    scores = with_wer((1, 10), (2, 10))
    assert differences(scores, scores)[0].verdict == "no difference shown"


def test_more_is_better_where_more_is_better() -> None:
    right = [replace(scored(str(n)), values={"speaker_count": Share(1, 1)}) for n in range(5)]
    wrong = [replace(scored(str(n)), values={"speaker_count": Share(0, 1)}) for n in range(5)]
    assert differences(right, wrong)[0].verdict == "better"


def test_only_calls_of_both_are_compared() -> None:
    [of] = differences(with_wer((1, 10), (9, 10)), with_wer((2, 10)))
    assert (of.value, of.compared) == (0.1, 0.2)
