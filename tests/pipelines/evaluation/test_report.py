"""What was found as text, Markdown and JSON, and where the errors are."""

import json
from dataclasses import replace

from spoken import spoken

from pipelines.evaluation.document import Document
from pipelines.evaluation.errors import Errors, Stretch, errors_of
from pipelines.evaluation.evaluation import Evaluation, evaluate
from pipelines.evaluation.report import as_json, as_markdown, as_text, report, write_json
from pipelines.evaluation.scoring import Rules

PLAIN = Rules("none")


def by_name(*documents: Document) -> dict[str, Document]:
    return {document.call: document for document in documents}


def evaluated() -> Evaluation:
    references = by_name(
        spoken("agent my name is ann", "caller hi i lost my card", call="a", seconds=5.0),
        spoken("agent yes", "caller my card", call="b", seconds=5.0),
    )
    hypotheses = by_name(
        spoken("S1 my name is pan", "S2 hi i lost a card now", call="a", seconds=5.0),
        spoken("S1 yes", call="b", seconds=5.0),
    )
    queues = {"a": "sales", "b": "billing"}
    for call, document in hypotheses.items():
        hypotheses[call] = replace(document, facts={"queue": queues[call]})
    return evaluate(references, hypotheses, PLAIN)


def errors(*, reference: Document, hypothesis: Document) -> Errors:
    return errors_of(evaluate({"call": reference}, {"call": hypothesis}, PLAIN).scores)


def test_text_has_the_rules_the_figures_and_what_they_are_made_of() -> None:
    text = as_text(report(evaluated()))
    head, *rows = text.splitlines()
    assert head.startswith("2 calls · normaliser none · tcpWER collar 5 s · DER collar ±0 s and ±0.25 s")
    [wer] = [row for row in rows if row.startswith("WER")]
    assert " ".join(wer.split()) == (
        "WER 41.7 % 33.3 to 66.7 2 substitutions, 2 deletions, 1 insertions of 12"
    )


def test_text_shows_slices_and_a_comparison() -> None:
    text = as_text(report(evaluated(), ["queue"], evaluated()))
    assert "By queue (calls)" in text
    assert "billing (1)  sales (1)" in text
    assert "Paired differences, on the same calls" in text
    assert "no difference shown" in text


def test_json_has_everything_as_fractions_and_seconds() -> None:
    found = as_json(report(evaluated(), ["queue"], evaluated()))
    assert json.loads(write_json(report(evaluated(), ["queue"], evaluated()))) == json.loads(
        json.dumps(found)
    )
    assert found["settings"]["normaliser"] == "none"
    assert found["settings"]["tcpwer_collar_s"] == 5.0
    wer = found["figures"]["wer"]
    assert wer["of"] == {"substitutions": 2, "deletions": 2, "insertions": 1, "length": 12}
    assert wer["value"] == 5 / 12
    assert found["by_call"]["b"]["wer"] == {"substitutions": 0, "deletions": 2, "insertions": 0, "length": 3}
    assert [group["value"] for group in found["slices"]["queue"]] == ["billing", "sales"]
    assert found["comparison"]["wer"]["difference"] == 0.0
    assert sorted(found["errors"]["lost"]) == [("card", 1), ("my", 1)]


def test_markdown_has_tables_that_no_word_can_break() -> None:
    heard = spoken("A a|b", call="a")
    text = as_markdown(report(evaluate(by_name(spoken("A yes", call="a")), by_name(heard), PLAIN)))
    assert "| yes | a\\|b | 1 |" in text
    assert "## Words most often lost\n\nNone.\n" in text


def test_words_are_counted_by_what_became_of_them() -> None:
    found = errors_of(evaluated().scores)
    assert sorted(found.substitutions) == [("ann", "pan", 1), ("my", "a", 1)]
    assert sorted(found.lost) == [("card", 1), ("my", 1)]
    assert found.inserted == (("now", 1),)


def test_the_worst_calls_come_first() -> None:
    assert [call.call for call in errors_of(evaluated().scores).calls] == ["b", "a"]


def test_words_in_a_call_without_any_are_the_worst_of_all() -> None:
    references = by_name(spoken("A my card", call="a"), spoken(call="b"), spoken(call="c"))
    heard = by_name(spoken("A no", call="a"), spoken("A thank you", call="b"), spoken(call="c"))
    found = report(evaluate(references, heard, PLAIN))
    assert [call.call for call in found.errors.calls] == ["b", "a", "c"]
    assert "| b | – | 2 | 0 | 0 |" in as_markdown(found)


def test_a_figure_of_fewer_calls_than_all_says_so() -> None:
    heard = spoken("S1 no", call="b")
    heard = replace(
        heard, words=tuple(replace(word, speaker=None) for word in heard.words or ()), speech=None
    )
    both = by_name(spoken("A yes", call="a"), spoken("A no", call="b"))
    found = report(evaluate(both, by_name(spoken("S1 yes", call="a"), heard), PLAIN))
    rows = {line.partition("  ")[0]: line for line in as_text(found).splitlines()}
    assert rows["cpWER"].endswith("of 1 (1 of 2 calls)")
    assert rows["WER"].endswith("of 2")
    assert as_json(found)["figures"]["cpwer"]["calls"] == 1


def test_errors_close_together_are_one_stretch_with_its_time() -> None:
    found = errors(
        reference=spoken("A one two three four five six seven eight nine ten", seconds=40.0),
        hypothesis=spoken("S1 one x three y five six seven eight nine z", seconds=40.0),
    )
    letters = 40.0 / len("onetwothreefourfivesixseveneightnineten")
    assert found.stretches == (
        Stretch("call", 3 * letters, 15 * letters, 2, "S1: two three four", "S1: x three y"),
        Stretch("call", 36 * letters, 40.0, 1, "S1: ten", "S1: z"),
    )


def test_words_of_the_wrong_speaker_are_errors_of_a_stretch() -> None:
    found = errors(
        reference=spoken("A my card is lost", "B yes sure i see", seconds=4.0),
        hypothesis=spoken("S1 my card is lost yes", "S2 sure i see", seconds=4.0),
    )
    [stretch] = found.stretches
    assert (stretch.errors, stretch.reference, stretch.hypothesis) == (1, "S2: yes", "S1: yes")
    assert found.calls[0].misattributed == 1


def test_errors_without_times_have_none() -> None:
    words = tuple(replace(word, start=None, end=None) for word in spoken("A yes").words or ())
    untimed = replace(spoken("A yes"), words=words, speech=None)
    [stretch] = errors(reference=untimed, hypothesis=spoken("A no")).stretches
    assert (stretch.start, stretch.end) == (None, None)


def test_the_head_says_how_many_calls_are_lost_or_left_out() -> None:
    references = by_name(spoken("A yes", call="a"), spoken("A no", call="b"))
    for only_paired, head in ((False, "2 calls, 1 of them lost ·"), (True, "1 calls, 1 left out ·")):
        found = evaluate(references, by_name(spoken("A yes", call="a")), PLAIN, only_paired)
        assert as_text(report(found)).startswith(head)
