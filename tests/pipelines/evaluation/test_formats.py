"""Each format is read for what it says; a line that is wrong is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_rows import made_call

from models.errors import UsageError
from pipelines.evaluation.document import Document, Span, Word
from pipelines.evaluation.formats import Documents
from pipelines.store import Store


def read(folder: Path, name: str, text: str) -> Documents:
    (folder / name).write_text(text, encoding="utf-8")
    return Documents([folder / name])


def texts(document: Document) -> list[tuple[str | None, str]]:
    return [(word.speaker, word.text) for word in document.words or ()]


STM = """;; a comment
a 1 agent 0.0 2.0 <o,f0,female> hello [noise] there

a 2 caller 3.0 4.0 hi
a 2 caller 1.0 1.5 [laughter]
"""


def test_stm_has_words_speakers_and_segments_without_tags(tmp_path: Path) -> None:
    call = read(tmp_path, "a.stm", STM)["a"]
    assert call.words == (
        Word("hello", "agent", 0.0, 1.0),
        Word("there", "agent", 1.0, 2.0),
        Word("hi", "caller", 3.0, 4.0),
    )
    assert call.speech == (Span(0.0, 2.0, "agent"), Span(3.0, 4.0, "caller"))
    assert call.roles == {"agent": "agent", "caller": "customer"}
    assert not call.word_times


def test_segments_are_put_in_order_of_their_start(tmp_path: Path) -> None:
    call = read(tmp_path, "a.stm", "a 1 B 5 6 and then\na 1 A 0 1 first of all\n")["a"]
    assert [word.text for word in call.words or ()] == ["first", "of", "all", "and", "then"]


def test_a_file_about_one_call_is_about_the_call_that_it_is_named_after(tmp_path: Path) -> None:
    assert list(read(tmp_path, "a.stm", "something 1 A 0 1 yes")) == ["a"]
    assert list(read(tmp_path, "all.stm", "x 1 A 0 1 yes\ny 1 A 0 1 no")) == ["x", "y"]


def test_ctm_takes_channels_as_speakers_and_puts_their_words_into_turns(tmp_path: Path) -> None:
    ctm = "a A 0.0 0.5 one 0.9\na B 0.2 0.5 uno\na A 0.5 0.5 two\na B 0.7 0.5 dos\n"
    call = read(tmp_path, "a.ctm", ctm)["a"]
    assert texts(call) == [("A", "one"), ("A", "two"), ("B", "uno"), ("B", "dos")]
    assert call.speech == (Span(0.0, 1.0, "A"), Span(0.2, 1.2, "B"))
    assert call.word_times


def test_ctm_of_one_channel_does_not_know_the_speakers(tmp_path: Path) -> None:
    call = read(tmp_path, "a.ctm", "a 1 0.0 0.5 one\na 1 0.5 0.5 two\n")["a"]
    assert texts(call) == [(None, "one"), (None, "two")]
    assert call.speech is None


def test_ctm_in_which_one_of_two_channels_is_silent_has_speakers_like_the_rest_of_its_file(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, "all.ctm", "x A 0 1 one\nx B 1 1 two\ny A 0 1 three\n")
    assert texts(found["y"]) == [("A", "three")]


def test_segments_that_are_not_to_be_scored_are_no_speech(tmp_path: Path) -> None:
    stm = (
        "a 1 inter_segment_gap 0 2 <o,,> IGNORE_TIME_SEGMENT_IN_SCORING\na 1 A 2 4 <o,f0,male> hello there\n"
    )
    call = read(tmp_path, "a.stm", stm)["a"]
    assert texts(call) == [("A", "hello"), ("A", "there")]
    assert call.speech == (Span(2.0, 4.0, "A"),)
    assert call.ignored == (Span(0.0, 2.0),)


def test_segments_without_blanks_are_words_only_where_words_have_lines_of_their_own(tmp_path: Path) -> None:
    stm = read(tmp_path, "a.stm", "a 1 A 0 5 今日はいい天気ですね\na 1 A 5.2 9 そうですね\n")["a"]
    assert not stm.word_times
    assert stm.speech == (Span(0.0, 5.0, "A"), Span(5.2, 9.0, "A"))
    assert read(tmp_path, "b.ctm", "b A 0 1 今日\nb B 1 1 は\n")["b"].word_times


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_ends_where_those_of_files_end_and_not_within_a_text(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.tsv").write_bytes(f"\ufeffA\tso\u2028it is\u0085{end}B\tno{end}".encode())
    assert texts(Documents([tmp_path])["a"]) == [("A", "so"), ("A", "it"), ("A", "is"), ("B", "no")]


def test_names_of_calls_are_the_same_however_a_file_system_writes_them(tmp_path: Path) -> None:
    decomposed, composed = "Pen\u0303a", "Pe\u00f1a"
    assert list(read(tmp_path, f"{decomposed}.tsv", "A\tyes\n")) == [composed]


def test_whether_a_call_is_there_is_told_without_reading_it(tmp_path: Path) -> None:
    (tmp_path / "a.stm").write_text("a 1 A 0 1 yes\n")
    (tmp_path / "a.tsv").write_text("A\tyes\n")
    found = Documents([tmp_path])
    assert "a" in found
    assert "b" not in found


def test_rttm_has_speech_and_no_words_and_uem_says_what_is_scored(tmp_path: Path) -> None:
    (tmp_path / "a.uem").write_text("a NA 0.0 30.0\n")
    rttm = "FILLER a 1 1.5 0.5 uh filled_pause A <NA>\nA/P a 1 1.5 <NA> <NA> <NA> <NA> <NA>\n"
    rttm += "SPKR-INFO a 1 <NA> <NA> <NA> unknown A\nSPEAKER a 1 1.5 2.0 <NA> <NA> A <NA> <NA>\n"
    (tmp_path / "a.rttm").write_text(rttm)
    call = Documents([tmp_path])["a"]
    assert call.words is None
    assert call.speech == (Span(1.5, 3.5, "A"),)
    assert call.scored == (Span(0.0, 30.0),)


def test_segments_of_one_speaker_that_overlap_are_one(tmp_path: Path) -> None:
    lines = "SPEAKER a 1 0 2 <NA> <NA> A <NA> <NA>\nSPEAKER a 1 1 2 <NA> <NA> A <NA> <NA>\n"
    assert read(tmp_path, "a.rttm", lines)["a"].speech == (Span(0.0, 3.0, "A"),)


def test_speech_of_an_rttm_goes_before_that_of_the_words(tmp_path: Path) -> None:
    (tmp_path / "a.stm").write_text("a 1 A 0 9 all of it\n")
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 1 2 <NA> <NA> A <NA> <NA>\n")
    call = Documents([tmp_path])["a"]
    assert call.speech == (Span(1.0, 3.0, "A"),)
    assert len(call.words or ()) == 3


def test_two_transcripts_of_one_call_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.stm").write_text("a 1 A 0 1 yes\n")
    (tmp_path / "a.tsv").write_text("A\tyes\n")
    with pytest.raises(UsageError, match=r"a\.stm and .*a\.tsv give the words of the call a"):
        Documents([tmp_path])["a"]


def test_tsv_is_turns_in_the_order_of_the_file_without_times(tmp_path: Path) -> None:
    call = read(tmp_path, "a.tsv", "doctor\twhat is it\npatient\tmy knee\n")["a"]
    assert texts(call)[2:4] == [("doctor", "it"), ("patient", "my")]
    assert call.words
    assert call.words[0] == Word("what", "doctor")
    assert call.speech is None
    assert call.roles == {"doctor": "doctor", "patient": "patient"}


def test_tsv_may_list_recordings_instead(tmp_path: Path) -> None:
    found = read(tmp_path, "reference.tsv", "one.flac\tyes of course\ntwo.wav\tno\n")
    assert list(found) == ["one", "two"]
    assert texts(found["one"]) == [(None, "yes"), (None, "of"), (None, "course")]


def test_the_head_of_a_tsv_is_no_turn(tmp_path: Path) -> None:
    turns = read(tmp_path, "a.tsv", "speaker\ttext\ndoctor\ttext me\n")["a"]
    assert texts(turns) == [("doctor", "text"), ("doctor", "me")]
    assert list(read(tmp_path, "all.tsv", "file\ttext\none.flac\tyes\ntwo.wav\tno\n")) == ["one", "two"]


VTT = """WEBVTT - a call

NOTE nobody
held it

STYLE
::cue { color: red }

1
00:01.000 --> 00:03.000 align:start
<v.loud Ann Lee>Hello <i>there</i> &amp; welcome</v>

1:00:04.000 --> 1:00:06.000
<v Bob>four</v><v Ann Lee>five</v>

1:00:07.000 --> 1:00:08.000
nobody's
"""


def test_webvtt_has_the_voices_of_its_cues(tmp_path: Path) -> None:
    call = read(tmp_path, "a.vtt", VTT)["a"]
    assert texts(call) == [
        *(("Ann Lee", word) for word in ("Hello", "there", "&", "welcome")),
        ("Bob", "four"),
        ("Ann Lee", "five"),
        ("UNKNOWN", "nobody's"),
    ]
    assert call.speech == (
        Span(1.0, 3.0, "Ann Lee"),
        Span(3604.0, 3605.0, "Bob"),
        Span(3605.0, 3606.0, "Ann Lee"),
        Span(3607.0, 3608.0, "UNKNOWN"),
    )


def test_webvtt_may_begin_with_a_cue_without_a_blank_line(tmp_path: Path) -> None:
    call = read(tmp_path, "a.vtt", "WEBVTT\n00:01.000 --> 00:03.000\n<v Ann>Hello you\n")["a"]
    assert texts(call) == [("Ann", "Hello"), ("Ann", "you")]


def test_segments_of_nobody_beside_those_of_somebody_are_by_unknown(tmp_path: Path) -> None:
    items = [{"speaker": "A", "words": "so"}, {"speaker": None, "words": "it"}, {"words": "is"}]
    call = read(tmp_path, "a.json", json.dumps(items))["a"]
    assert texts(call) == [("A", "so"), ("UNKNOWN", "it"), ("UNKNOWN", "is")]
    assert texts(read(tmp_path, "b.json", json.dumps(items[1:]))["b"]) == [(None, "it"), (None, "is")]


def test_seglst_has_several_calls_and_may_lack_times(tmp_path: Path) -> None:
    items = [
        {"session_id": "x", "speaker": "A", "words": "so it is", "start_time": "1.0", "end_time": 2.0},
        {"session_id": "y", "speaker": "B", "words": "no"},
    ]
    found = read(tmp_path, "all.json", json.dumps(items))
    assert found["x"].speech == (Span(1.0, 2.0, "A"),)
    assert found["y"].words == (Word("no", "B"),)


def test_the_truth_of_a_sample_call_has_word_times_roles_and_a_language(tmp_path: Path) -> None:
    truth = {
        "language": "es",
        "duration_s": 9.0,
        "speakers": {"Dora": {"role": "agent", "channel": None}},
        "words": [{"word": "Hola", "speaker": "Dora", "start_s": 0.5, "end_s": 1.0, "line": 0}],
    }
    call = read(tmp_path, "a.json", json.dumps(truth))["a"]
    assert call.words == (Word("Hola", "Dora", 0.5, 1.0),)
    assert (call.word_times, call.roles, call.language) == (True, {"Dora": "agent"}, "es")
    assert call.duration == 9.0


def test_a_store_has_its_calls_under_the_names_of_their_recordings(tmp_path: Path) -> None:
    Store(tmp_path / "store").write_call(made_call("late_parcel", turns=2, words=2))
    found = Documents([tmp_path / "store"])
    assert list(found) == ["late_parcel"]
    call = found["late_parcel"]
    assert call.words == (
        Word("v0.", "S1", 0.5, 1.25, speaker_confidence=0.5),
        Word("v0.", "S1", 1.5, 2.25, speaker_confidence=0.5),
        Word("v0.", "S2", 2.5, 3.25, speaker_confidence=0.5),
        Word("v0.", "S2", 3.5, 4.25, speaker_confidence=0.5),
    )
    assert call.speech == (
        Span(0.5, 1.25, "S1"),
        Span(1.5, 2.25, "S1"),
        Span(2.5, 3.25, "S2"),
        Span(3.5, 4.25, "S2"),
    )
    assert call.roles == {"S1": "agent", "S2": "customer"}
    assert call.facts["queue"] == "billing"
    assert call.facts["metadata.version"] == "0"
    assert call.facts["overlap_share"] == 0.0


def test_who_speaks_when_in_a_call_of_a_store_is_told_by_its_speakers_and_not_by_its_words(
    tmp_path: Path,
) -> None:
    rows = made_call("a", turns=2, words=2)
    talk = [
        [{"start_s": 0.25, "end_s": 1.0}, {"start_s": 1.75, "end_s": 2.5}],
        [{"start_s": 2.25, "end_s": 3.75}],
    ]
    speakers = [{**row, "diarization": spans} for row, spans in zip(rows.speakers, talk, strict=True)]
    Store(tmp_path / "store").write_call(replace(rows, speakers=speakers))
    speech = Documents([tmp_path / "store"])["a"].speech
    assert speech == (Span(0.25, 1.0, "S1"), Span(1.75, 2.5, "S1"), Span(2.25, 3.75, "S2"))


def test_calls_of_a_store_stay_in_the_order_of_the_transcript(tmp_path: Path) -> None:
    rows = made_call("a", turns=2, words=2)
    # The second turn begins while the first goes on.
    words, sentences, entities = (
        [
            {**row, "start_s": row["start_s"] - 1.5 * row["turn"], "end_s": row["end_s"] - 1.5 * row["turn"]}
            for row in table
        ]
        for table in (rows.words, rows.sentences, rows.entities)
    )
    turns = [
        rows.turns[0],
        {**rows.turns[1], "start_s": words[2]["start_s"], "end_s": words[3]["end_s"]},
    ]
    moved = replace(rows, words=words, turns=turns, sentences=sentences, entities=entities)
    Store(tmp_path / "store").write_call(moved)
    call = Documents([tmp_path / "store"])["a"]
    assert [(word.speaker, word.start) for word in call.words or ()] == [
        ("S1", 0.5),
        ("S1", 1.5),
        ("S2", 1.0),
        ("S2", 2.0),
    ]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (
            "a.stm",
            "a 1 A 0 1 yes\na 1 A 0 yes\n",
            r'a\.stm, line 2: expected "call channel speaker start end',
        ),
        ("a.stm", "a 1 A 3 2 yes\n", r"a\.stm, line 1: expected"),
        ("a.stm", "a 1 A nan 2 yes\n", r"a\.stm, line 1: expected"),
        ("a.ctm", "a 1 0.0 yes\n", r"a\.ctm, line 1: expected"),
        ("a.ctm", "a 1 0.0 -1 yes\n", r"a\.ctm, line 1: expected"),
        ("a.rttm", "\n\nSPEAKER a 1 0.0 A\n", r"a\.rttm, line 3: expected"),
        ("a.rttm", "speaker a 1 0 1 <NA> <NA> A <NA> <NA>\n", r"a\.rttm, line 1: expected"),
        ("a.uem", "a 1 0.0\n", r"a\.uem, line 1: expected"),
        ("a.tsv", "doctor\tyes\ndoctor no\n", r'a\.tsv, line 2: expected a speaker .* found "doctor no"'),
        ("a.vtt", "hello\n", r'a\.vtt, line 1: expected "WEBVTT"'),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> soon\nhello\n", r"a\.vtt, line 3: expected"),
        ("a.vtt", "WEBVTT\n\n1\n00:03.000 --> 00:02.000\nhello\n", r"a\.vtt, line 4: expected a cue"),
        ("a.json", '[{"words": "yes"},\n', r"a\.json, line 2: expected JSON"),
        ("a.json", '[{"speaker": "A"}]', r"a\.json, item 1: expected a SegLST list"),
        ("a.json", '{"words": [{"word": "a"}]}', r"a\.json, item 1: expected"),
        ("a.json", '[{"speaker": "A", "words": null}]', r"a\.json, item 1: expected a SegLST list"),
        ("a.json", '{"words": [], "speakers": ["A"]}', r'a\.json: expected "speakers", an object'),
        ("a.json", '{"queue": "billing"}', r"a\.json, line 1: expected"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_what_was_expected(
    tmp_path: Path, name: str, text: str, where: str
) -> None:
    with pytest.raises(UsageError, match=where):
        read(tmp_path, name, text)


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes("A\tsí\nB\tqué\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"a\.tsv, line 1: expected text in UTF-8"):
        Documents([tmp_path / "a.tsv"])


@pytest.mark.parametrize("name", ["missing.stm", "a.docx", "nothing"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match=name.replace(".", r"\.")):
        Documents([tmp_path / name])
