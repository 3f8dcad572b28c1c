"""Everything that holds sound is decoded in full, flagged as damaged, or refused for the right reason."""

import shutil
import struct
import threading
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_audio import encode, float_wav_bytes, tone, video_without_sound, wav_bytes
from numpy.typing import NDArray

from pipelines.decoding import SAMPLE_RATE, Audio, decode
from pipelines.failures import RecordingFailure

_PATIENT = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
ODD_INPUTS = CORPUS / "odd_inputs"
needs_corpus = pytest.mark.skipif(
    not ODD_INPUTS.is_dir(), reason="the shared corpus is not beside the repository"
)

CALL = "transcodes_of_real_call/eb82ec7b5f0944ca_"
SCIPY = "wav_oddities_scipy/test-"

# What each file holds: seconds, channels and sample rate.
WHOLE = {
    "silence_30s_stereo_8k.wav": (30.0, 2, 8000),
    "tone_440_10s.wav": (10.0, 1, 8000),
    "corrupt/mp3_named.wav": (53.19, 2, 8000),
    "real_formats/azure_test_audio.mp3": (0.63, 1, 16000),
    "real_formats/azure_whatstheweatherlike-mulaw.wav": (2.03, 1, 16000),
    "real_formats/azure_whatstheweatherlike.wav": (2.03, 1, 16000),
    "real_formats/lhotse_libri_rvb_multichannel.wav": (16.04, 1, 16000),
    "real_formats/pocketsphinx_chan3.2chan.wav": (20.871, 2, 11025),
    "real_formats/speechbrain_example1.wav": (3.261, 1, 16000),
    "real_formats/speechbrain_example3.sph": (2.890, 1, 16000),
    "real_formats/speechbrain_example5.wav": (3.620, 1, 16000),
    "real_formats/test.flac": (0.970, 2, 22050),
    "real_formats/test.mp3": (10.016, 2, 22050),
    "real_formats/test.wav": (0.970, 2, 22050),
    f"{CALL}6ch_first_two_active_10s.wav": (10.0, 6, 8000),
    f"{CALL}mono.amr": (53.19, 1, 8000),
    f"{CALL}mono.gsm": (53.19, 1, 8000),
    f"{CALL}mono_g726.wav": (53.19, 1, 8000),
    f"{CALL}mono_headerless_8k.ulaw": (53.19, 1, 8000),
    f"{CALL}mono_ima_adpcm.wav": (53.19, 1, 8000),
    f"{CALL}stereo.aiff": (53.19, 2, 8000),
    f"{CALL}stereo.caf": (53.19, 2, 8000),
    f"{CALL}stereo.ogg": (53.19, 2, 8000),
    f"{CALL}stereo.w64": (53.19, 2, 8000),
    f"{CALL}stereo.wma": (53.19, 2, 8000),
    f"{CALL}stereo_44k_64kbps.mp3": (53.19, 2, 44100),
    f"{CALL}stereo_aac.m4a": (53.19, 2, 8000),
    f"{CALL}stereo_mulaw.wav": (53.19, 2, 8000),
    f"{CALL}video.mp4": (53.19, 2, 8000),
    f"{SCIPY}44100Hz-le-1ch-4bytes.wav": (0.1, 1, 44100),
    f"{SCIPY}8000Hz-le-2ch-1byteu.wav": (0.1, 2, 8000),
}

# Seconds that are there, and seconds that are missing (None: the file does not say).
DAMAGED = {
    "corrupt/hv_data_size_ffffffff.wav": (12.499, 40.69),
    "corrupt/hv_garbage_in_the_middle.mp3": (51.774, 1.56),
    "corrupt/hv_truncated.opus": (6.994, None),
}

REFUSED = {
    "corrupt/azure_missing_wav_header.wav": "not_audio",
    "corrupt/hv_truncated_no_moov.m4a": "damaged",
    "corrupt/pocketsphinx_bad.wav": "damaged",
    "corrupt/pocketsphinx_null.wav": "too_short",
    "corrupt/zero_bytes.wav": "empty_file",
    f"{SCIPY}1234Hz-le-1ch-10S-20bit-extra.wav": "too_short",
    f"{SCIPY}44100Hz-2ch-32bit-float-le.wav": "too_short",
    f"{SCIPY}44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "damaged",
    f"{SCIPY}44100Hz-le-1ch-4bytes-incomplete-chunk.wav": "damaged",
    f"{SCIPY}8000Hz-be-3ch-5S-24bit.wav": "too_short",
    f"{SCIPY}8000Hz-le-3ch-5S-24bit-rf64.wav": "too_short",
    f"{SCIPY}8000Hz-le-3ch-5S-36bit.wav": "unsupported_codec",
    f"{SCIPY}8000Hz-le-3ch-5S-53bit.wav": "unsupported_codec",
    f"{SCIPY}8000Hz-le-4ch-9S-12bit.wav": "too_short",
}


def refusal(path: Path) -> str:
    with pytest.raises(RecordingFailure) as caught:
        decode(path)
    assert str(path) in str(caught.value)
    return caught.value.reason


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    content = path.read_bytes()
    return write(path.with_name("cut_" + path.name), content[: int(len(content) * share)])


def overwrite_middle(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    start, length = len(content) // 2, len(content) // 20
    content[start : start + length] = np.random.default_rng(1).bytes(length)
    return write(path.with_name("overwritten_" + path.name), bytes(content))


def likeness(audio: Audio, frequency: float = 300.0) -> float:
    """Correlation of the first channel with a tone that starts at 0 s, away from both ends."""
    inner = audio.samples[0, 3200:-3200]
    time = np.arange(3200, 3200 + len(inner)) / SAMPLE_RATE
    return float(np.corrcoef(inner, np.sin(2 * np.pi * frequency * time))[0, 1])


def envelope(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320).astype(np.float64)
    return np.asarray(np.sqrt((frames**2).mean(axis=1)), np.float64)


# The shared odd inputs


@needs_corpus
def test_every_odd_input_has_an_expectation() -> None:
    present = {str(p.relative_to(ODD_INPUTS)) for p in ODD_INPUTS.rglob("*") if p.is_file()}
    assert present == {*WHOLE, *DAMAGED, *REFUSED}


@needs_corpus
@pytest.mark.parametrize("name", WHOLE)
def test_an_odd_input_that_is_whole_is_decoded_in_full(name: str) -> None:
    seconds, channels, rate = WHOLE[name]
    audio = decode(ODD_INPUTS / name)
    assert audio.damage is None
    assert audio.duration == pytest.approx(seconds, rel=0.01)
    assert audio.samples.shape == (channels, pytest.approx(audio.duration * SAMPLE_RATE, abs=2))
    assert audio.sample_rate == rate
    assert audio.samples.dtype == np.float32
    assert np.isfinite(audio.samples).all()


@needs_corpus
@pytest.mark.parametrize("name", DAMAGED)
def test_an_odd_input_that_is_damaged_is_decoded_as_far_as_it_goes_and_flagged(name: str) -> None:
    seconds, lost_s = DAMAGED[name]
    audio = decode(ODD_INPUTS / name)
    assert audio.duration == pytest.approx(seconds, abs=0.01)
    assert audio.damage is not None
    assert audio.damage.lost_s == (None if lost_s is None else pytest.approx(lost_s, abs=0.02))
    assert Path(name).name in audio.damage.reason


@needs_corpus
@pytest.mark.parametrize("name", REFUSED)
def test_an_odd_input_that_cannot_be_used_is_refused_with_its_reason(name: str) -> None:
    assert refusal(ODD_INPUTS / name) == REFUSED[name]


@needs_corpus
@pytest.mark.parametrize("name", [name for name in WHOLE if name.startswith(CALL) and "6ch" not in name])
def test_every_transcode_of_the_call_holds_the_call_at_its_time(name: str) -> None:
    original = decode(CORPUS / "bank_calls" / "stereo" / "eb82ec7b5f0944ca.flac").samples
    audio = decode(ODD_INPUTS / name).samples
    if len(audio) == 1:
        original = original.sum(axis=0, keepdims=True)
    heard, meant = (envelope(samples[-1]) for samples in (audio, original))
    products = np.correlate(heard - heard.mean(), meant - meant.mean(), "full")
    lag_s = 0.02 * (int(np.argmax(products)) - len(meant) + 1)
    assert abs(lag_s) < 0.07  # a WMA decoder swallows its first 64 ms
    assert products.max() / (heard.std() * meant.std() * len(meant)) > 0.95


# Formats


@pytest.mark.parametrize(
    ("name", "codec", "rate", "container"),
    [
        ("a.wav", "pcm_s16le", 8000, None),
        ("a.wav", "pcm_s24le", 44100, None),
        ("a.wav", "pcm_s32le", 22050, None),
        ("a.wav", "pcm_s64le", 8000, None),
        ("a.wav", "pcm_u8", 11025, None),
        ("a.wav", "pcm_f32le", 16000, None),
        ("a.wav", "pcm_f64le", 1234, None),
        ("a.wav", "pcm_mulaw", 8000, None),
        ("a.wav", "pcm_alaw", 8000, None),
        ("a.w64", "pcm_s16le", 8000, None),
        ("a.aiff", "pcm_s16be", 96000, None),
        ("a.au", "pcm_mulaw", 8000, None),
        ("a.caf", "pcm_s16be", 48000, None),
        ("a.flac", "flac", 16000, None),
        ("a.mka", "flac", 8000, None),
        ("a.m4a", "aac", 44100, None),
        ("a.mp3", "libmp3lame", 16000, None),
        ("a.ogg", "libopus", 48000, None),
        ("a.webm", "libopus", 48000, None),
        ("a.avi", "pcm_s16le", 8000, None),
    ],
)
def test_a_tone_comes_out_at_16_khz_with_its_level_and_time(
    tmp_path: Path, name: str, codec: str, rate: int, container: str | None
) -> None:
    left, right = tone(2.0, 300.0, rate), tone(2.0, 450.0, rate, level=0.1)
    audio = decode(encode(tmp_path / name, [np.stack([left, right])], codec, rate, container))
    assert audio.sample_rate == rate
    assert audio.damage is None
    assert audio.duration == pytest.approx(2.0, abs=0.06)
    assert likeness(audio) > 0.99
    assert np.std(audio.samples[:, 3200:-3200], axis=1) == pytest.approx(
        [0.3 / 2**0.5, 0.1 / 2**0.5], rel=0.06
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_channels_of_any_number_stay_apart(tmp_path: Path, channels: int, rate: int) -> None:
    levels = np.arange(1, channels + 1, dtype=np.float32) / 32
    path = write(tmp_path / "a.wav", wav_bytes(np.repeat(levels[:, None], rate, axis=1), rate))
    inner = decode(path).samples[:, 4000:12000]
    assert inner.mean(axis=1) == pytest.approx(levels, abs=1e-3)
    assert inner.std(axis=1) == pytest.approx(np.zeros(channels), abs=1e-3)


@settings(max_examples=25, suppress_health_check=_PATIENT, deadline=None)
@given(rate=st.integers(1000, 96000), seconds=st.floats(0.11, 30.0), channels=st.integers(1, 3))
def test_any_rate_and_length_keeps_its_duration(
    tmp_path: Path, rate: int, seconds: float, channels: int
) -> None:
    count = max(round(seconds * rate), round(0.1 * rate) + 1)
    audio = decode(write(tmp_path / "a.wav", wav_bytes(np.zeros((channels, count), np.float32), rate)))
    assert audio.duration == count / rate
    assert audio.samples.shape == (
        channels,
        pytest.approx(count / rate * SAMPLE_RATE, abs=2 + 2 * SAMPLE_RATE / rate),
    )


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".ulaw", "pcm_mulaw"), (".UL", "pcm_mulaw"), (".alaw", "pcm_alaw"), (".al", "pcm_alaw")],
)
def test_headerless_telephone_sound_is_known_by_its_suffix(tmp_path: Path, suffix: str, codec: str) -> None:
    whole = encode(tmp_path / "a.wav", [tone(2.0)[None]], codec, 8000).read_bytes()
    audio = decode(write(tmp_path / f"a{suffix}", whole[whole.index(b"data") + 8 :]))
    assert (audio.codec, audio.sample_rate) == (codec, 8000)
    assert audio.duration == pytest.approx(2.0, abs=0.001)
    assert likeness(audio) > 0.999


@pytest.mark.parametrize(("suffix", "rate"), [(".sln", 8000), (".sln16", 16000), (".sln48", 48000)])
def test_signed_linear_sound_has_its_rate_in_its_suffix(tmp_path: Path, suffix: str, rate: int) -> None:
    data = (tone(1.0, rate=rate) * 32767).astype("<i2").tobytes()
    audio = decode(write(tmp_path / f"a{suffix}", data))
    assert audio.sample_rate == rate
    assert likeness(audio) > 0.999


def test_a_suffix_that_lies_does_no_harm(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flac", [tone(1.0)[None]], "flac", 8000)
    for name in ("a.wav", "a.ulaw", "a.mp3", "a", "a.txt", "a.m3u8"):
        assert decode(Path(shutil.copy(path, tmp_path / name))).codec == "flac"


@pytest.mark.parametrize(
    "name", ["concat:a.wav|b.wav", "http:x.wav", "two\nlines %03d.wav", "夜 [1].wav", "-i.wav"]
)
def test_a_name_is_never_understood_as_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert decode(write(Path(name), wav_bytes(tone(1.0)[None]))).duration == 1.0


@pytest.mark.parametrize(
    ("riff_size", "data_size"), [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000)]
)
def test_a_streamed_wav_without_its_length_is_whole(tmp_path: Path, riff_size: int, data_size: int) -> None:
    content = wav_bytes(tone(3.0)[None], riff_size=riff_size, data_size=data_size)
    audio = decode(write(tmp_path / "a.wav", content))
    assert (audio.duration, audio.damage) == (3.0, None)


# Streams


def test_mono_streams_of_one_length_are_channels(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mka", [tone(2.0)[None], tone(2.0, 500.0)[None]], "pcm_s16le", 8000)
    audio = decode(path)
    assert audio.samples.shape == (2, 32000)
    assert audio.note == "The file has 2 mono streams of one length; each was taken as a channel."


def test_of_streams_of_other_lengths_the_first_long_one_is_taken_and_that_is_said(tmp_path: Path) -> None:
    streams = [tone(1.0, 500.0)[None], tone(4.0, 300.0)[None], tone(4.0, 700.0)[None]]
    audio = decode(encode(tmp_path / "a.mka", streams, "pcm_s16le", 8000))
    assert audio.samples.shape == (1, 64000)
    assert likeness(audio) > 0.999
    assert audio.note == "The file has 3 streams of sound; stream 2 was used, the others were not."


def test_a_single_stream_needs_no_note(tmp_path: Path) -> None:
    assert decode(write(tmp_path / "a.wav", wav_bytes(tone(1.0)[None]))).note is None


# When


def test_the_containers_clock_is_the_time_of_recording(tmp_path: Path) -> None:
    tags = {"creation_time": "2020-05-06T07:08:09.000000Z"}
    audio = decode(encode(tmp_path / "a.m4a", [tone(1.0, rate=44100)[None]], "aac", 44100, tags=tags))
    assert audio.recorded_at == datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_broadcast_wav_keeps_its_date_and_time_apart(tmp_path: Path) -> None:
    description = bytes(320) + b"2021-03-04" + b"05:06:07" + bytes(264)
    content = wav_bytes(tone(1.0)[None])
    at = content.index(b"data")
    content = content[:at] + b"bext" + struct.pack("<I", len(description)) + description + content[at:]
    content = content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
    assert decode(write(tmp_path / "a.wav", content)).recorded_at == datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_clock_that_was_never_set_says_nothing(tmp_path: Path) -> None:
    tags = {"creation_time": "1970-01-01T00:00:00.000000Z"}
    audio = decode(encode(tmp_path / "a.mka", [tone(1.0)[None]], "pcm_s16le", 8000, tags=tags))
    assert audio.recorded_at is None


# Damage


@pytest.mark.parametrize(
    ("name", "codec", "rate", "options"),
    [
        ("a.wav", "pcm_s16le", 8000, {}),
        ("a.wav", "pcm_s16le", 8000, {"rf64": "always"}),
        ("a.w64", "pcm_s16le", 8000, {}),
        ("a.aiff", "pcm_s16be", 8000, {}),
        ("a.au", "pcm_mulaw", 8000, {}),
        ("a.flac", "flac", 8000, {}),
        ("a.mp3", "libmp3lame", 16000, {}),
        ("a.m4a", "aac", 44100, {"movflags": "faststart"}),
        ("a.mka", "flac", 8000, {}),
        ("a.webm", "libopus", 48000, {}),
        ("a.avi", "pcm_s16le", 8000, {}),
    ],
)
def test_a_file_that_was_cut_off_is_read_to_its_end_and_says_what_is_missing(
    tmp_path: Path, name: str, codec: str, rate: int, options: dict[str, str]
) -> None:
    whole = encode(tmp_path / name, [tone(20.0, rate=rate)[None]], codec, rate, options=options)
    audio = decode(cut(whole))
    assert audio.duration == pytest.approx(12.0, abs=1.0)
    assert likeness(audio) > 0.99
    assert audio.damage is not None
    assert audio.damage.lost_s == pytest.approx(20.0 - audio.duration, abs=0.5)


def test_an_ogg_file_without_its_closing_page_may_have_lost_its_end(tmp_path: Path) -> None:
    whole = encode(tmp_path / "a.ogg", [tone(20.0, rate=48000)[None]], "libopus", 48000)
    assert decode(whole).damage is None
    damage = decode(cut(whole)).damage
    assert damage is not None
    assert damage.lost_s is None


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.flac", "flac", 8000), ("a.m4a", "aac", 44100), ("a.ogg", "libopus", 48000), ("a.tta", "tta", 8000)],
)
def test_what_follows_a_corrupt_stretch_keeps_its_time(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    whole = encode(tmp_path / name, [tone(20.0, rate=rate)[None]], codec, rate)
    audio = decode(overwrite_middle(whole))
    assert audio.damage is not None
    assert audio.damage.lost_s is not None
    assert 0.2 < audio.damage.lost_s < 5.0
    assert audio.duration == pytest.approx(20.0, abs=0.1)
    last = audio.samples[0, 16 * SAMPLE_RATE : 19 * SAMPLE_RATE]
    reference = np.sin(2 * np.pi * 300 * np.arange(16 * SAMPLE_RATE, 19 * SAMPLE_RATE) / SAMPLE_RATE)
    assert np.corrcoef(last, reference)[0, 1] > 0.99


def test_samples_that_are_not_numbers_become_silence_and_are_told(tmp_path: Path) -> None:
    samples = np.full(16000, 0.1, np.float32)
    samples[[100, 200, 300, 400]] = [np.nan, np.inf, -np.inf, 1e30]
    audio = decode(write(tmp_path / "a.wav", float_wav_bytes(samples)))
    samples[[100, 200, 300, 400]] = 0.0
    np.testing.assert_array_equal(audio.samples[0], samples)
    assert audio.damage is not None
    assert "cannot be sound" in audio.damage.reason


def test_samples_beyond_full_scale_are_left_alone(tmp_path: Path) -> None:
    samples = np.linspace(-3.0, 3.0, 16000, dtype=np.float32)
    audio = decode(write(tmp_path / "a.wav", float_wav_bytes(samples)))
    np.testing.assert_array_equal(audio.samples[0], samples)
    assert audio.damage is None


def test_a_gap_in_the_timestamps_of_a_clocked_container_is_silence_and_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        for start in (0, 5 * 8000):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, 8000), 8000, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 8000, start
            file.mux(stream.encode(frame))
    audio = decode(path)
    assert audio.duration == pytest.approx(6.0, abs=0.01)
    assert audio.damage is None
    seconds = audio.samples[0, : 6 * SAMPLE_RATE].reshape(6, SAMPLE_RATE)[:, 1600:-1600]
    assert np.abs(seconds).mean(axis=1) == pytest.approx([0.244, 0, 0, 0, 0, 0.244], abs=0.001)


@needs_corpus
def test_amr_frames_that_mean_silence_keep_their_time_even_before_the_first_word(tmp_path: Path) -> None:
    content = (ODD_INPUTS / f"{CALL}mono.amr").read_bytes()
    nobody_speaks = b"\x7c" * 50  # 20 ms each
    audio = decode(write(tmp_path / "a.amr", content[:6] + nobody_speaks + content[6:]))
    assert audio.damage is None
    assert audio.duration == pytest.approx(54.2, abs=0.05)
    assert np.abs(audio.samples[0, :15_000]).max() < 1e-3


# Refusals


@pytest.mark.parametrize(("seconds", "accepted"), [(0.0999, False), (0.1, True)])
def test_a_tenth_of_a_second_is_the_least(tmp_path: Path, seconds: float, accepted: bool) -> None:
    path = write(tmp_path / "a.wav", wav_bytes(np.zeros((1, round(seconds * 40_000)), np.float32), 40_000))
    if accepted:
        assert decode(path).duration == 0.1
    else:
        assert refusal(path) == "too_short"


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.wav") == "unreadable"
    assert refusal(tmp_path) == "unreadable"


def test_a_video_without_sound_has_no_audio_stream(tmp_path: Path) -> None:
    assert refusal(video_without_sound(tmp_path / "a.mp4")) == "no_audio_stream"


TEXTS = {
    "text": b"agent: hello\ncustomer: hi\n" * 400,
    "html": b"<html><body>404 Not Found</body></html>\n",
    "utf-8": "Dzień dobry, z tej strony bank. Добрый день.\n".encode() * 300,
    "utf-16": "hello world, how are you\n".encode("utf-16"),
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "ansi art": b"\x1b[1;31mhello\x1b[0m\n" * 100,
    "empty lines": b"\n" * 50,
}


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".txt", ".srt", ".ans", ""])
@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_not_audio_whatever_it_is_called(tmp_path: Path, kind: str, suffix: str) -> None:
    assert refusal(write(tmp_path / f"a{suffix}", TEXTS[kind])) == "not_audio"


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".aac", ".ac3", ".gsm", ".flac", ".mpg", ".ts", ""])
@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_not_audio(tmp_path: Path, suffix: str, seed: int) -> None:
    content = np.random.default_rng(seed).bytes(200_000)
    assert refusal(write(tmp_path / f"a{suffix}", content)) == "not_audio"


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".gsm", ""])
def test_zeros_are_not_audio(tmp_path: Path, suffix: str) -> None:
    assert refusal(write(tmp_path / f"a{suffix}", bytes(100_000))) == "not_audio"


def test_a_picture_and_an_archive_are_not_audio(tmp_path: Path) -> None:
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 32, 32, "rgb24"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
    picture = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    for name in ("a.png", "a.wav"):
        assert refusal(write(tmp_path / name, picture)) == "not_audio"
    with zipfile.ZipFile(tmp_path / "b.wav", "w") as archive:
        archive.writestr("a.wav", wav_bytes(tone(1.0)[None]))
    assert refusal(tmp_path / "b.wav") == "not_audio"


@pytest.mark.parametrize("binary", [b"", b"\x00\x01"])
def test_a_playlist_opens_no_connection(tmp_path: Path, binary: bytes) -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.ts"
        playlists = {
            "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n",
            "b.ffconcat": f"ffconcat version 1.0\nfile '{url}'\n",
            "c.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        }
        for name, text in playlists.items():
            assert refusal(write(tmp_path / name, text.encode() + binary)) == "not_audio"
        server.shutdown()
    assert asked == []


def test_a_few_samples_at_a_rate_that_leaves_nothing_of_them_are_too_short(tmp_path: Path) -> None:
    content = bytearray(wav_bytes(np.stack([tone(0.3), tone(0.3, 500.0)])))
    content[25] = 0  # 128 Hz
    assert refusal(write(tmp_path / "a.wav", bytes(content[:72]))) == "too_short"


@settings(max_examples=200, suppress_health_check=_PATIENT, deadline=None)
@given(st.data())
def test_a_file_broken_anywhere_is_decoded_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(wav_bytes(np.stack([tone(0.3), tone(0.3, 500.0)])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    path = write(tmp_path / "a.wav", bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        audio = decode(path)
    except RecordingFailure:
        return
    assert audio.samples.shape[1] > 0
    assert np.isfinite(audio.samples).all()


def test_nothing_is_written_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    decode(overwrite_middle(encode(tmp_path / "a.mp3", [tone(5.0, rate=16000)[None]], "libmp3lame", 16000)))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
