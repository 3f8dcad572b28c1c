"""The small words are known in whatever way a recogniser writes them."""

import pytest

from pipelines.analytics.phrases import BACKCHANNELS, FILLERS, HOLD_BEGINS, is_backchannel, mentions, spoken


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Ummm,", "um"),
        ("Mm-hmm.", "m hm"),
        ("OKAY!", "okay"),
        ("Äh…", "äh"),
        ("don't", "don t"),
        ("22", "22"),
        ("", ""),
    ],
)
def test_words_are_compared_without_case_marks_and_long_letters(written: str, heard: str) -> None:
    assert spoken(written) == heard


@pytest.mark.parametrize(
    "text", ["Okay.", "Oh, really?", "All right, sure.", "Uh-huh. Uh-huh.", "Mmm", "I see."]
)
def test_a_backchannel_is_made_of_nothing_but_backchannels(text: str) -> None:
    assert is_backchannel(text, "en")


@pytest.mark.parametrize("text", ["", "...", "Okay then.", "No.", "I", "All", "Seven."])
def test_anything_else_is_none(text: str) -> None:
    assert not is_backchannel(text, "en")


def test_without_a_list_nothing_is_a_backchannel() -> None:
    assert not is_backchannel("Okay.", "ja")


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("May I put you on hold?", True),
        ("ONE MOMENT, please", True),
        ("They hold only cash.", False),
        ("", False),
    ],
)
def test_a_phrase_is_mentioned_word_for_word(text: str, there: bool) -> None:
    assert mentions(text, HOLD_BEGINS["en"]) is there


def test_a_filled_pause_is_not_a_backchannel_in_any_language() -> None:
    shared = {code: FILLERS[code] & BACKCHANNELS[code] for code in FILLERS}
    assert {code: words for code, words in shared.items() if words - {"hm"}} == {}
