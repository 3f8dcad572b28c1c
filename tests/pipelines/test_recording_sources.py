"""Which recordings are found, and what their manifest and metadata files say of them."""

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import UsageError
from pipelines.sources import CallMetadata, Source, find_sources


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def found(folder: Path, *arguments: str) -> list[str]:
    return [str(s.path.relative_to(folder)) for s in find_sources(arguments or [str(folder)])]


def manifest(folder: Path, text: str) -> Path:
    path = folder / "calls.csv"
    path.write_text(text, encoding="utf-8")
    return path


def described(folder: Path, text: str) -> CallMetadata:
    (source,) = find_sources([], manifest(folder, text))
    return source.metadata


# Folders, files, patterns


def test_a_folder_is_searched_to_the_bottom_in_sorted_order(tmp_path: Path) -> None:
    make(tmp_path, "b.wav", "a/c.mp3", "a/b/d.flac", "a.ulaw")
    assert found(tmp_path) == ["a.ulaw", "a/b/d.flac", "a/c.mp3", "b.wav"]


def test_what_surely_is_no_recording_is_passed_over_and_the_unknown_is_not(tmp_path: Path) -> None:
    passed_over = [
        "a.json",
        "b.csv",
        "c.STM",
        "d.txt",
        "e.rttm",
        "README",
        "n.md",
        ".hidden.wav",
        ".git/x.wav",
        "u.part",
    ]
    make(tmp_path, *passed_over, "truth/a.json", "a.wav", "noextension", "call.20240501", "v.mp4", "x.vox")
    assert found(tmp_path) == ["a.wav", "call.20240501", "noextension", "v.mp4", "x.vox"]


def test_a_store_inside_the_folder_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "store/tables/calls/call_date=2024-05-01/x.parquet", "store/audio/copy.wav")
    assert found(tmp_path) == ["a.wav"]


def test_names_with_spaces_line_breaks_and_any_script_are_found(tmp_path: Path) -> None:
    names = ["Żółć ночь 夜.wav", "two\nlines.wav", "wei rd [1] 'q'.wav", "%d.wav"]
    make(tmp_path, *names)
    assert found(tmp_path) == sorted(names)


def test_a_file_that_is_named_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    assert found(tmp_path, str(tmp_path / "a.txt")) == ["a.txt"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "a[1].wav", "a1.wav")
    assert found(tmp_path, str(tmp_path / "a[1].wav")) == ["a[1].wav"]


def test_patterns_match_in_depth_and_pass_over_what_is_no_recording(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "a.json", "x/b.wav", "x/y/c.wav", "x/y/c.mp3")
    assert found(tmp_path, str(tmp_path / "**" / "*.wav")) == ["a.wav", "x/b.wav", "x/y/c.wav"]
    assert found(tmp_path, str(tmp_path / "x" / "*")) == ["x/b.wav", "x/y/c.mp3", "x/y/c.wav"]
    assert found(tmp_path, str(tmp_path / "a.*")) == ["a.wav"]


def test_the_same_file_is_listed_once_however_often_it_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "b.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    assert found(tmp_path, str(tmp_path), str(tmp_path / "a.wav"), str(tmp_path / "*.wav")) == [
        "a.wav",
        "b.wav",
    ]


def test_links_that_go_round_in_a_circle_end(tmp_path: Path) -> None:
    make(tmp_path, "in/a.wav")
    (tmp_path / "in" / "round").symlink_to(tmp_path, target_is_directory=True)
    assert found(tmp_path) == ["in/a.wav"]


def test_a_link_to_nowhere_is_listed_so_that_its_failure_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    assert found(tmp_path) == ["a.wav"]


def test_pipes_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert found(tmp_path) == ["a.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_opened_is_listed_so_that_its_failure_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "locked/b.wav")
    (tmp_path / "locked").chmod(0)
    try:
        assert found(tmp_path) == ["a.wav", "locked"]
    finally:
        (tmp_path / "locked").chmod(0o700)


def test_an_empty_folder_has_no_recordings(tmp_path: Path) -> None:
    assert find_sources([str(tmp_path)]) == ()


@pytest.mark.parametrize("argument", ["gone.wav", "gone/", "*.wav", "gone/**/x?.mp3"])
def test_an_argument_that_names_nothing_is_a_wrong_usage(tmp_path: Path, argument: str) -> None:
    with pytest.raises(UsageError, match=r"gone|\*\.wav") as caught:
        find_sources([str(tmp_path / argument)])
    assert str(tmp_path / argument) in str(caught.value)


# Manifests


def test_every_known_column_fills_its_field_and_the_others_become_metadata(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    text = (
        "source,started_at,kind,language,speakers,agent_id,customer_id,"
        "queue,direction,channel_roles,campaign,note\n"
        "a.wav,2024-05-31T14:05:00+02:00,contact_center,en-GB,2,007,C1,"
        'cards,inbound,"1=agent, 2=customer",spring,\n'
    )
    assert described(tmp_path, text) == CallMetadata(
        started_at=datetime(2024, 5, 31, 14, 5, tzinfo=timezone(timedelta(hours=2))),
        kind="contact_center",
        language="en",
        speakers=2,
        agent_id="007",
        customer_id="C1",
        queue="cards",
        direction="inbound",
        channel_roles={1: "agent", 2: "customer"},
        metadata={"campaign": "spring"},
    )


def test_a_time_without_an_offset_is_taken_as_utc(tmp_path: Path) -> None:
    assert described(tmp_path, "source,started_at\na.wav,2024-05-31 14:05\n").started_at == datetime(
        2024, 5, 31, 14, 5, tzinfo=UTC
    )


def test_channels_can_be_named_by_role(tmp_path: Path) -> None:
    text = "source,agent_channel,customer_channel\na.wav,2,1\n"
    assert described(tmp_path, text).channel_roles == {2: "agent", 1: "customer"}


def test_a_spreadsheet_saved_with_semicolons_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert described(tmp_path, "\ufeffsource;queue\na.wav;cards, loans\n").queue == "cards, loans"


def test_without_arguments_the_manifest_names_the_recordings(tmp_path: Path) -> None:
    make(tmp_path, "x/a.wav", "b.wav", "c.wav")
    listed = manifest(tmp_path, f"source,queue\nx/a.wav,one\n{tmp_path / 'b.wav'},two\n")
    assert find_sources([], listed) == (
        Source(tmp_path / "b.wav", CallMetadata(queue="two")),
        Source(tmp_path / "x/a.wav", CallMetadata(queue="one")),
    )


def test_with_arguments_the_manifest_only_describes(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "b.wav")
    listed = manifest(tmp_path, "source,queue\na.wav,one\n")
    assert find_sources([str(tmp_path / "b.wav")], listed) == (Source(tmp_path / "b.wav"),)
    assert find_sources([str(tmp_path / "a.wav")], listed)[0].metadata.queue == "one"


def test_a_recording_that_the_manifest_names_and_that_is_gone_is_listed_for_its_failure(
    tmp_path: Path,
) -> None:
    assert find_sources([], manifest(tmp_path, "source\ngone.wav\n")) == (Source(tmp_path / "gone.wav"),)


def test_the_home_of_nobody_is_a_name_like_any_other(tmp_path: Path) -> None:
    make(tmp_path, "~nobody-at-all.wav")
    assert described(tmp_path, "source,queue\n~nobody-at-all.wav,one\n").queue == "one"
    with pytest.raises(UsageError, match="no file or folder ~nobody-at-all"):
        find_sources(["~nobody-at-all/calls"])


def test_a_parquet_manifest_is_read_with_its_types(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "source": ["a.wav", "b.wav"],
            "started_at": [pd.Timestamp("2024-05-31T14:05:00Z"), pd.NaT],
            "speakers": [2, None],
            "agent_id": [7, None],
            "channel_roles": [[("1", "agent")], None],
            "score": [0.5, None],
        }
    )
    table.to_parquet(tmp_path / "calls.parquet")
    first, second = find_sources([], tmp_path / "calls.parquet")
    assert first.metadata == CallMetadata(
        started_at=datetime(2024, 5, 31, 14, 5, tzinfo=UTC),
        speakers=2,
        agent_id="7",
        channel_roles={1: "agent"},
        metadata={"score": "0.5"},
    )
    assert second.metadata == CallMetadata()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file,queue\na.wav,x\n", "no column named source"),
        ("source,queue\na.wav,x\n,y\n", "row 3: the column source is empty"),
        (
            "source,started_at\na.wav,yesterday\n",
            "row 2: started_at is 'yesterday'; expected a date and time",
        ),
        ("source,kind\na.wav,sales\n", "row 2: kind is 'sales'; expected contact_center or consultation"),
        ("source,language\na.wav,English please\n", "row 2: language is"),
        ("source,speakers\na.wav,0\n", "row 2: speakers is '0'; expected a whole number from 1 on"),
        ("source,speakers\na.wav,two\n", "row 2: speakers is 'two'"),
        ("source,agent_channel\na.wav,left\n", "row 2: agent_channel is 'left'"),
        ("source,channel_roles\na.wav,1=robot\n", "row 2: channel_roles is"),
        ("source,agent_channel,customer_channel\na.wav,1,1\n", "row 2: channel 1 has two roles"),
        ("source,queue\na.wav,x\na.wav,y\n", "row 3: a.wav was described differently in row 2"),
        ("source,queue\na.wav,x,y\n", "row 2: it has more values than there are columns"),
        ("source,queue,queue\na.wav,x,y\n", "two columns of one name"),
        ('source,queue\n"a.wav,x\n', "cannot be read"),
        ("source,queue\na\x00.wav,x\n", "row 2: the column source holds no name of a file"),
        ("", "no column named source"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_where_and_what_is_expected(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        find_sources([], manifest(tmp_path, text))
    assert complaint in str(caught.value)
    assert str(tmp_path / "calls.csv") in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet"])
def test_a_manifest_that_is_not_there_is_a_wrong_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"no manifest .*{name}"):
        find_sources([], tmp_path / name)


@pytest.mark.parametrize("name", ["bad.csv", "bad.parquet"])
def test_a_manifest_that_is_something_else_is_a_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="Expected a CSV"):
        find_sources([], tmp_path / name)


@example(b"/")
@given(st.binary(max_size=200))
def test_no_bytes_make_a_manifest_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "calls.csv"
    path.write_bytes(b"source,queue,started_at\n" + content)
    with contextlib.suppress(UsageError):
        find_sources([], path)


# Metadata files


@pytest.mark.parametrize("name", ["a.json", "a.wav.json"])
def test_a_json_file_beside_a_recording_describes_it(tmp_path: Path, name: str) -> None:
    make(tmp_path, "a.wav", "b.wav")
    content = {
        "queue": "cards",
        "speakers": 2,
        "channel_roles": {"1": "doctor"},
        "extra": {"deep": [1]},
        "none": None,
    }
    (tmp_path / name).write_text(json.dumps(content))
    first, second = find_sources([str(tmp_path)])
    assert first.metadata == CallMetadata(
        queue="cards", speakers=2, channel_roles={1: "doctor"}, metadata={"extra": '{"deep": [1]}'}
    )
    assert second == Source(tmp_path / "b.wav")


def test_the_manifest_counts_for_more_field_by_field(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    (tmp_path / "a.json").write_text('{"queue": "cards", "agent_id": "7", "site": "north", "shift": "late"}')
    listed = manifest(tmp_path, "source,queue,agent_id,site\na.wav,loans,,south\n")
    assert find_sources([str(tmp_path)], listed)[0].metadata == CallMetadata(
        queue="loans", agent_id="7", metadata={"site": "south", "shift": "late"}
    )


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"speakers": "many"}', "\x00", '{"started_at": 5}', "[" * 100_000]
)
def test_a_metadata_file_that_cannot_be_used_is_the_problem_of_its_recording_alone(
    tmp_path: Path, content: str
) -> None:
    make(tmp_path, "a.wav", "b.wav")
    (tmp_path / "a.json").write_text(content)
    first, second = find_sources([str(tmp_path)])
    assert first.problem is not None
    assert first.problem.reason == "bad_metadata"
    assert "a.json" in str(first.problem)
    assert second.problem is None


def test_a_metadata_file_that_the_shell_named_as_well_is_not_a_recording(tmp_path: Path) -> None:
    make(tmp_path, "a.wav")
    (tmp_path / "a.json").write_text('{"queue": "cards"}')
    assert found(tmp_path, str(tmp_path / "a.json"), str(tmp_path / "a.wav")) == ["a.wav"]
