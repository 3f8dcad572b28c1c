"""Who takes the floor from whom, and what is no taking of it, in conversations that are known exactly."""

import pytest
from made_conversations import Line, conversation, near, of_kind, told

MEANWHILE = ("interruption", "backchannel", "overlap")
STORY: Line = ("S1", 1.0, 7.0, "I was on the way home when the whole thing broke down again.")


def test_an_interruption_takes_the_turn_from_who_is_in_the_middle_of_it() -> None:
    cut = ("S1", 1.0, 5.0, "We could send somebody on Wednesday between eight and")
    found = conversation([cut, ("S2", 4.2, 8.0, "Wednesday is far too late for me.")])
    assert told(found, *MEANWHILE) == [("interruption", "S2", 4.2, 5.0)]
    [moment] = of_kind(found, "interruption")
    assert (moment.other_speaker, moment.turn, moment.value) == ("S1", 1, near(0.8))
    by, of = found.speakers["S2"], found.speakers["S1"]
    assert (by.interruptions, by.interrupted, of.interruptions, of.interrupted) == (1, 0, 0, 1)
    assert by.interruption_s == near(0.8)
    assert found.interruptions == 1


@pytest.mark.parametrize("text", ["on Wednesday between.", "on Wednesday between"])
def test_a_full_stop_that_the_recogniser_adds_does_not_hide_an_interruption(text: str) -> None:
    found = conversation([("S1", 1.0, 5.0, text), ("S2", 4.5, 8.0, "No, that is too late.")])
    assert told(found, *MEANWHILE) == [("interruption", "S2", 4.5, 5.0)]


def test_who_begins_just_before_a_sentence_ends_does_not_interrupt_it() -> None:
    found = conversation([("S1", 1.0, 5.0, "Have a nice day."), ("S2", 4.75, 6.0, "You too. Goodbye.")])
    assert told(found, *MEANWHILE) == [("overlap", "S2", 4.75, 5.0)]
    assert found.interruptions == 0


def test_who_begins_just_before_words_break_off_interrupts_them() -> None:
    found = conversation([("S1", 1.0, 5.0, "And I really..."), ("S2", 4.7, 7.0, "Let me see what I can do.")])
    assert told(found, *MEANWHILE) == [("interruption", "S2", 4.7, 5.0)]


def test_an_overlap_that_nobody_would_notice_is_none() -> None:
    found = conversation([("S1", 1.0, 5.0, "Have a nice day."), ("S2", 4.94, 6.0, "You too. Goodbye.")])
    assert told(found, *MEANWHILE) == []
    assert found.speakers["S1"].overlap_s == near(0.06)


def test_two_who_begin_at_once_do_not_interrupt_each_other() -> None:
    lines = [("S1", 1.0, 4.0, "It is done."), ("S1", 6.0, 7.5, "Shall I"), ("S2", 6.2, 9.0, "Could you also")]
    assert told(conversation(lines), *MEANWHILE) == [("overlap", "S2", 6.2, 7.5)]


def test_an_attempt_that_comes_to_nothing_is_an_overlap_and_takes_no_turn() -> None:
    found = conversation([STORY, ("S2", 3.0, 4.5, "but did you not say that")])
    assert told(found, *MEANWHILE) == [("overlap", "S2", 3.0, 4.5)]
    assert [turn.response_s for turn in found.turns] == [None, None]


def test_two_who_talk_on_side_by_side_share_the_floor() -> None:
    found = conversation([STORY, ("S2", 3.0, 9.0, "that is not what I was told by your colleague")])
    assert told(found, *MEANWHILE) == [("overlap", "S2", 3.0, 7.0)]


def test_a_pause_for_breath_does_not_end_an_interruption() -> None:
    cut = ("S1", 1.0, 5.0, "We could send somebody on Wednesday between eight and")
    lines = [cut, ("S2", 4.3, 5.1, "No, please."), ("S2", 5.7, 8.0, "Wednesday is too late.")]
    assert told(conversation(lines), *MEANWHILE) == [("interruption", "S2", 4.3, 5.0)]


@pytest.mark.parametrize(
    "text", ["Okay.", "Mm-hm.", "Yeah, yeah.", "All right.", "MMO.", "And then that", ""]
)
def test_something_short_during_the_others_turn_is_a_backchannel(text: str) -> None:
    found = conversation([STORY, ("S2", 3.0, 3.6, text)])
    assert told(found, *MEANWHILE) == [("backchannel", "S2", 3.0, 3.6)]
    assert found.speakers["S2"].backchannels == 1
    assert found.speakers["S1"].interrupted == 0
    assert of_kind(found, "backchannel")[0].value == near(0.6)


def test_the_words_of_the_list_may_take_their_time() -> None:
    assert told(conversation([STORY, ("S2", 3.0, 4.4, "Oh really? Wow.")]), *MEANWHILE) == [
        ("backchannel", "S2", 3.0, 4.4)
    ]


@pytest.mark.parametrize(
    ("language", "kind"), [("es", "backchannel"), ("en", "overlap")], ids=["known there", "not known here"]
)
def test_the_list_is_that_of_the_language(language: str, kind: str) -> None:
    found = conversation([STORY, ("S2", 3.0, 4.2, "De acuerdo.")], language=language)
    assert [moment.kind for moment in of_kind(found, *MEANWHILE)] == [kind]


def test_a_sound_without_a_word_that_is_as_short_as_a_breath_is_nothing() -> None:
    assert told(conversation([STORY, ("S2", 3.0, 3.3, "")]), *MEANWHILE) == []


NUMBER: tuple[Line, Line] = (
    ("S1", 1.0, 3.0, "My number is seven three"),
    ("S1", 4.4, 6.0, "zero eight five."),
)


def test_a_backchannel_between_two_parts_of_an_unfinished_sentence() -> None:
    found = conversation([*NUMBER, ("S2", 3.3, 3.9, "Mm-hm.")])
    assert told(found, *MEANWHILE) == [("backchannel", "S2", 3.3, 3.9)]
    assert of_kind(found, "backchannel")[0].value == 0.0
    assert all(turn.response_s is None for turn in found.turns)


def test_an_answer_is_no_backchannel() -> None:
    lines = [
        ("S1", 1.0, 3.0, "Is that the right one?"),
        ("S2", 3.3, 3.7, "Yes."),
        ("S1", 4.0, 6.0, "Then I will send it."),
    ]
    found = conversation(lines)
    assert told(found, *MEANWHILE) == []
    assert [turn.response_s for turn in found.turns] == [None, near(0.3), near(0.3)]


def test_an_okay_with_which_somebody_begins_a_turn_is_no_backchannel() -> None:
    lines = [
        ("S1", 1.0, 3.0, "My number is seven three"),
        ("S2", 3.3, 3.7, "Okay."),
        ("S2", 4.4, 6.0, "And then?"),
    ]
    assert told(conversation(lines), *MEANWHILE) == []


def test_the_response_time_is_from_the_end_of_ones_turn_to_the_start_of_the_others() -> None:
    lines = [
        ("S1", 1.0, 3.0, "How may I help?"),
        ("S2", 3.5, 6.0, "My card is gone."),
        ("S1", 5.8, 8.0, "I am sorry to hear that."),
        ("S2", 9.2, 10.0, "Thank you."),
    ]
    found = conversation(lines)
    assert [turn.response_s for turn in found.turns] == [None, *map(near, (0.5, -0.2, 1.2))]
    second = found.speakers["S2"]
    assert (second.response_median_s, second.response_p90_s) == (near(0.85), near(1.13))
    assert found.speakers["S1"].response_median_s == near(-0.2)


def test_a_backchannel_is_neither_a_response_nor_waited_for() -> None:
    found = conversation([STORY, ("S2", 3.0, 3.5, "Okay."), ("S2", 7.4, 9.0, "I understand you well.")])
    # The transcript has the backchannel and what follows it in one row.
    assert [turn.response_s for turn in found.turns] == [None, near(0.4)]


def test_a_response_after_a_hold_was_not_waited_for() -> None:
    lines = [
        ("S1", 1.0, 3.0, "May I put you on hold?"),
        ("S2", 3.2, 3.6, "Sure."),
        ("S1", 20.0, 23.0, "Thank you for waiting."),
        ("S2", 23.5, 25.0, "No problem at all."),
    ]
    assert [turn.response_s for turn in conversation(lines).turns] == [None, near(0.2), None, near(0.5)]


def test_the_longest_monologue_goes_on_through_backchannels_and_ends_at_a_turn_or_a_silence() -> None:
    lines = [
        ("S1", 1.0, 6.0, "First of all I have to explain how"),
        ("S2", 3.0, 3.5, "Yeah."),
        ("S1", 7.0, 11.0, "this works for people like you."),
        ("S2", 11.5, 12.5, "And what does it cost?"),
        ("S1", 13.0, 20.0, "That depends on many things."),
        ("S1", 23.5, 30.0, "But let me look it up for you."),
    ]
    found = conversation(lines)
    assert told(found, "monologue") == [("monologue", "S1", 1.0, 11.0), ("monologue", "S2", 11.5, 12.5)]
    assert found.speakers["S1"].longest_monologue_s == near(10.0)


def test_of_three_who_talk_each_is_interrupted_by_whom_it_was() -> None:
    lines = [
        ("S1", 1.0, 5.0, "We could send somebody on Wednesday and"),
        ("S2", 4.0, 8.0, "Wednesday is no good because we"),
        ("S3", 7.2, 9.0, "Then make it Friday."),
    ]
    found = conversation(lines)
    assert [(m.speaker, m.other_speaker) for m in of_kind(found, "interruption")] == [
        ("S2", "S1"),
        ("S3", "S2"),
    ]


def test_a_whole_call_with_everything_in_it_is_counted_exactly() -> None:
    """Truth: two interruptions, three backchannels, two accidental overlaps."""
    lines = [
        ("S1", 0.5, 4.0, "Good morning, how may I help?"),
        ("S2", 4.4, 10.0, "My line has been dead since Sunday and I work from home so it is bad."),
        ("S1", 6.0, 6.4, "Okay."),
        ("S1", 8.0, 8.5, "Mm-hm."),
        ("S1", 10.3, 14.0, "I see. Could you please go to the router and"),
        ("S2", 13.2, 17.0, "I have done that three times already."),
        ("S1", 16.8, 20.0, "Then it is the line itself."),
        ("S2", 20.5, 25.0, "I pay you every month for this and I really think"),
        ("S1", 24.3, 28.0, "Let me see what there is tomorrow."),
        ("S2", 26.0, 26.4, "Yes."),
        ("S1", 29.0, 30.0, "Half past"),
        ("S2", 29.1, 31.0, "Good, I take it."),
    ]
    found = conversation(lines)
    assert told(found, *MEANWHILE) == [
        ("backchannel", "S1", 6.0, 6.4),
        ("backchannel", "S1", 8.0, 8.5),
        ("interruption", "S2", 13.2, 14.0),
        ("overlap", "S1", 16.8, 17.0),
        ("interruption", "S1", 24.3, 25.0),
        ("backchannel", "S2", 26.0, 26.4),
        ("overlap", "S2", 29.1, 30.0),
    ]
    counts = {name: (s.interruptions, s.interrupted, s.backchannels) for name, s in found.speakers.items()}
    assert counts == {"S1": (1, 1, 2), "S2": (1, 1, 1)}
    assert found.speakers["S1"].overlap_s == pytest.approx(0.4 + 0.5 + 0.8 + 0.2 + 0.7 + 0.4 + 0.9, abs=0.15)
    assert found.speakers["S1"].overlap_s == near(found.speakers["S2"].overlap_s)
