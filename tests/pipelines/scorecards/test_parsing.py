"""Files of scorecards: what is wrong is told with line, column, what is expected and what may be meant."""

import re
from pathlib import Path

import pytest
from cards_in_text import mistakes, rulebook

from models.errors import UsageError
from pipelines.scorecards.conditions import (
    All,
    Amount,
    Column,
    Comparison,
    Metric,
    Named,
    Not,
    Phrases,
    Said,
    Window,
)
from pipelines.scorecards.document import Mistaken
from pipelines.scorecards.parsing import DEFAULT_MEANING, load

CARD = """\
scorecard: house
version: 1
conditions:
  refund: {said: refund}
sections:
  - section: Care
    criteria:
      - criterion: sorry
        points: 4
        pass_if: CONDITION
"""


def of_condition(text: str) -> list[str]:
    """The mistakes of a condition that stands in line 10 from column 18 on."""
    return mistakes(CARD.replace("CONDITION", text))


def test_a_card_is_read_as_it_is_written() -> None:
    [card] = rulebook(
        CARD.replace("CONDITION", "{all: [refund, {not_said: {regex: 'a b', by: agent}}]}")
    ).scorecards
    assert (card.name, card.version, card.title) == ("house", "1", "house")
    [section] = card.sections
    [criterion] = section.criteria
    assert criterion.pass_if == All(
        (Named("refund"), Not(Said(Phrases(patterns=("a b",)), by=("agent",), within=Window())))
    )
    assert card.named == {"refund": Said(Phrases(exact=("refund",))), "sorry": criterion.pass_if}


def test_parts_of_a_call_and_comparisons_are_values() -> None:
    text = "{metric: {of: turns.words_spoken, at_most: 3}}".replace("words_spoken", "word_count")
    within = "{metric: {of: turns.word_count, at_most: 3, within: {first: 2 min, last: 25 %}}}"
    [card] = rulebook(CARD.replace("CONDITION", text)).scorecards
    comparison = Comparison("at_most", (3.0,))
    assert card.criteria[0].pass_if == Metric(Column("turns", "word_count"), comparison)
    [card] = rulebook(CARD.replace("CONDITION", within)).scorecards
    window = Window(first=Amount(120.0, "s"), last=Amount(25.0, "%"))
    assert card.criteria[0].pass_if == Metric(Column("turns", "word_count"), comparison, within=window)


def test_no_is_a_word_and_a_threshold_has_a_default() -> None:
    [card] = rulebook(CARD.replace("CONDITION", "{said: {exact: [no, off], meaning: No}}")).scorecards
    assert card.criteria[0].pass_if == Said(
        Phrases(exact=("no", "off"), examples=("No",), threshold=DEFAULT_MEANING)
    )


WRONG_CONDITIONS = {
    "an unknown kind": (
        "{sayd: hello}",
        '10:19: "sayd" is no kind of condition. Expected one of said, not_said, metric, sentiment, entity, '
        "moment, all, any, not, in_order, each. Did you mean `said`?",
    ),
    "an unknown name": (
        "refnd",
        '10:18: "refnd" is no criterion or condition of this file. Expected one of refund, sorry. Did '
        "you mean "
        "`refund`?",
    ),
    "an unknown key": ("{said: {exact: a, bye: agent}}", '10:36: `said` has no key "bye". Expected one of '),
    "an unknown role": (
        "{said: {exact: a, by: agnet}}",
        '10:40: "agnet" is no role. Expected one of agent, customer, doctor, patient, ivr, other, '
        "unknown. Did "
        "you mean `agent`?",
    ),
    "one of several roles": ("{said: {exact: a, by: [agent, x]}}", '10:48: "x" is no role. Expected one of '),
    "two kinds": (
        "{said: a, metric: {}}",
        "10:28: a condition has one key, and not `said` and `metric`; several go under `all` or `any`.",
    ),
    "a list": (
        "[refund]",
        "10:18: a condition is a name or one key with what it asks for; several go under ",
    ),
    "nothing": ("", "10:16: a condition is a text, and not empty."),
    "no phrase": ("{said: {by: agent}}", "10:25: `said` lacks what is said: exact, lemma, regex or meaning."),
    "an empty list": ("{said: []}", "10:25: `said` is empty; it has one item at least."),
    "a phrase without words": ("{said: '…'}", '10:25: `said` has words, and "…" has none.'),
    "a broken expression": (
        "{said: {regex: 'a('}}",
        '10:33: "a(" is not a regular expression: missing ), unterminated subpattern at position 1.',
    ),
    "an expression that is everywhere": (
        "{said: {regex: 'a*'}}",
        '10:33: "a*" is found everywhere, as it may',
    ),
    "a threshold beyond 1": (
        "{said: {meaning: a, threshold: 60}}",
        '10:49: `threshold` is a number from 0 to 1, and not "60".',
    ),
    "a threshold of nothing": (
        "{said: {exact: a, threshold: 0.6}}",
        "10:36: `threshold` belongs to `meaning`, which is not here.",
    ),
    "no time": (
        "{said: {exact: a, within: {first: 30}}}",
        '10:52: `first` is a part of a call, such as 30 s, 2 min, 25 % or 3 turns, and not "30".',
    ),
    "more than all": (
        "{said: {exact: a, within: {last: 120 %}}}",
        "10:51: `last` is 100 % at most, and not 120 %.",
    ),
    "half a turn": (
        "{said: {exact: a, within: {last: 1.5 turns}}}",
        "10:51: `last` is a whole number of turns, and not 1.5 turns.",
    ),
    "an unknown window": (
        "{said: {exact: a, within: {fist: 3 s}}}",
        '10:45: `within` has no key "fist". Expected one of first, last, after, before, for, while. Did you '
        "mean `first`?",
    ),
    "an empty window": (
        "{said: {exact: a, within: {}}}",
        "10:44: `within` is empty. Expected one or more of ",
    ),
    "a limit of nothing": (
        "{said: {exact: a, within: {first: 9 s, for: 3 s}}}",
        "10:57: `for` goes with `after` or `before`, which are not here.",
    ),
    "a place that is none": (
        "{said: {exact: a, within: {after: {not: refund}}}}",
        "10:52: `after` needs something that happens at a time, and what is not there has none.",
    ),
    "a place of an average": (
        "{said: {exact: a, within: {after: {sentiment: {below: 0}}}}}",
        "10:52: `after` needs something that happens at a time, and the mean of `turns.sentiment` has "
        "none; with "
        "`aggregate: any` each turn that meets it has.",
    ),
    "an order of what has no place": (
        "{in_order: [refund, {metric: {of: calls.duration_s, above: 3}}]}",
        "10:38: an order needs something that happens at a time, and `calls.duration_s` is of the whole "
        "call.",
    ),
    "an unknown column": (
        "{metric: {of: speakers.tlk_s, above: 3}}",
        '10:32: there is no column "speakers.tlk_s". Did you mean `speakers.talk_s`?',
    ),
    "an unknown table": (
        "{metric: {of: words.confidence, above: 0.3}}",
        '10:32: "words.confidence" is no metric: those are columns of calls, speakers and turns.',
    ),
    "a map": (
        "{metric: {of: calls.metadata, equals: x}}",
        "10:32: `calls.metadata` holds many values: name one, as in calls.metadata.NAME.",
    ),
    "a list of values": (
        "{metric: {of: speakers.sentiment_by_quarter, above: 0}}",
        "10:32: `speakers.sentiment_by_quarter` is a list: name an item, as in "
        "speakers.sentiment_by_quarter[0], "
        "or [-1] for the last.",
    ),
    "a member of one value": (
        "{metric: {of: 'calls.queue[0]', equals: x}}",
        "10:32: `calls.queue` holds one value, and nothing can be taken out of it.",
    ),
    "text compared with a number": (
        "{metric: {of: calls.queue, above: 3}}",
        "10:52: `calls.queue` holds no numbers; compare it with `equals`.",
    ),
    "a value that a column never has": (
        "{metric: {of: calls.kind, equals: consult}}",
        '10:52: "consult" is no kind. Expected one of contact_center, consultation. Did you mean '
        "`consultation`?",
    ),
    "no comparison": (
        "{metric: {of: calls.duration_s}}",
        "10:27: a comparison is one of below, above, at_least, at_most, equals, and not 0 of them.",
    ),
    "two comparisons": (
        "{metric: {of: calls.duration_s, above: 1, below: 3}}",
        "10:60: a comparison is one of below, above, at_least, at_most, equals, and not 2 of them.",
    ),
    "a role of the whole call": (
        "{metric: {of: calls.duration_s, by: agent, above: 1}}",
        "10:50: `calls.duration_s` is of the whole call and not of a role.",
    ),
    "a window of the whole call": (
        "{metric: {of: speakers.words, within: {first: 3 s}, above: 1}}",
        "10:48: `speakers.words` is of the whole call; only columns of turns have a place in it.",
    ),
    "an unknown moment": ("{moment: {kind: holding}}", '10:34: "holding" is no kind of moment. '),
    "an unknown entity": (
        "{entity: {kind: mony}}",
        '10:34: "mony" is no kind of entity. Did you mean `money`?',
    ),
    "a count of none": (
        "{moment: {kind: hold, at_least: 0}}",
        '10:50: `at_least` is a whole number from 1 on, and not "0".',
    ),
    "it outside of each": ("it", "10:18: `it` has a meaning in `requires` of an `each` only."),
    "itself": ("sorry", '8:20: "sorry" depends on itself: sorry → sorry.'),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG_CONDITIONS.values(), ids=WRONG_CONDITIONS)
def test_a_mistake_in_a_condition_is_told_where_it_is(text: str, sentence: str) -> None:
    found = of_condition(text)
    assert len(found) == 1
    assert found[0].startswith(sentence)


WRONG_CARDS = {
    "an empty file": ("", ["1:1: the file is empty."]),
    "no mapping": ("- a\n", ["1:1: a file begins with `scorecard: NAME` or `category: NAME`."]),
    "neither": ("title: a\n", ["1:1: the file has neither the key `scorecard` nor the key `category`."]),
    "no YAML": (
        "scorecard: house\nversion: a: b\n",
        ["2:11: this is not YAML: mapping values are not allowed here."],
    ),
    "a tab": (
        "scorecard: house\n\tversion: 1\n",
        ["2:1: this is not YAML: found character '\\t' that cannot start any token."],
    ),
    "an alias": (
        "category: &a house\nversion: 1\nwhen: *a\n",
        ["3:7: aliases (*name) are not read; what is used twice is named in `conditions`."],
    ),
    "a key twice": (
        "category: house\nversion: 1\nversion: 2\nwhen: {said: a}\n",
        ['3:1: a category has "version" already in line 2.'],
    ),
    "keys that lack": (
        "category: house\n",
        ["1:1: a category lacks the key `version`.", "1:1: a category lacks the key `when`."],
    ),
    "a name that is none": (
        "category: my house\nversion: 1\nwhen: {said: a}\n",
        ['1:11: the name of a category has letters, digits, and . _ - only, and is not "my house".'],
    ),
    "several, all at once and in order": (
        CARD.replace("CONDITION", "{said: a}")
        .replace("points: 4", "points: many")
        .replace("version: 1", "vesion: 1"),
        [
            "1:1: a scorecard lacks the key `version`.",
            '2:1: a scorecard has no key "vesion". Expected one of scorecard, version, sections, title, '
            "applies_to, "
            "applies_if, confidence, threshold, conditions. Did you mean `version`?",
            '9:17: `points` is a number from 0 on, and not "many".',
        ],
    ),
    "a criterion twice": (
        CARD.replace("CONDITION", "{said: a}").replace("criterion: sorry", "criterion: refund"),
        ['8:20: there is a criterion or condition "refund" already in line 4.'],
    ),
    "a section twice": (
        CARD.replace("CONDITION", "{said: a}")
        + "  - section: Care\n    criteria: [{criterion: b, points: 1, pass_if: {said: b}}]\n",
        ['11:14: there is a section "Care" already in line 6.'],
    ),
    "a circle": (
        "category: a\nversion: 1\nconditions:\n  one: two\n  two: {not: one}\nwhen: one\n",
        ['4:3: "one" depends on itself: one → two → one.'],
    ),
    "a column that calls have not": (
        "category: a\nversion: 1\napplies_to: {knd: x}\nwhen: {said: a}\n",
        ['3:14: "knd" is no column of calls with text in it. Did you mean `kind`?'],
    ),
    "a kind of call that there is not": (
        "category: a\nversion: 1\napplies_to: {kind: call_centre}\nwhen: {said: a}\n",
        [
            '3:20: "call_centre" is no kind. Expected one of contact_center, consultation. Did you mean '
            "`contact_center`?"
        ],
    ),
    "a confidence beyond 1": (
        "category: a\nversion: 1\nconfidence: {word: 50}\nwhen: {said: a}\n",
        ['3:20: `word` is a number from 0 to 1, and not "50".'],
    ),
    "a flag that is none": (
        CARD.replace("CONDITION", "{said: a}").replace("points: 4", "points: 4\n        critical: yes"),
        ['10:19: `critical` is true or false, and not "yes".'],
    ),
}


@pytest.mark.parametrize(("text", "sentences"), WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_mistake_in_a_card_is_told_where_it_is(text: str, sentences: list[str]) -> None:
    assert mistakes(text) == sentences


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"category: a\ntitle: \xff\n")
    with pytest.raises(Mistaken, match=r"a\.yaml:2:8: this is not text in UTF-8\."):
        load(tmp_path, tmp_path / ".")


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text("category: same\nversion: 1\nwhen: {said: a}\n")
    (tmp_path / "empty").mkdir()
    sentence = re.escape(f'{tmp_path / "b.yml"}:1:11: {tmp_path / "a.yaml"} has a category "same" too.')
    with pytest.raises(Mistaken, match=sentence):
        load(tmp_path / "empty", tmp_path)


def test_all_files_of_both_folders_are_read_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("category: [")
    (tmp_path / "b.yaml").write_text("category: b\nversion: 1\nwhen: {said: a}\n")
    (tmp_path / "a.yaml").write_text(CARD.replace("CONDITION", "{said: a}"))
    (tmp_path / "empty").mkdir()
    found = load(tmp_path, tmp_path / "empty")
    assert [card.name for card in found.scorecards] == ["house"]
    assert [category.name for category in found.categories] == ["b"]
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere\."):
        load(tmp_path / "nowhere", tmp_path)
