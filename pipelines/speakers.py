"""The people on a call: their names within it, roles, channels and where they speak."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from models.speech import Diarization, Interval
from pipelines.channels import Channels
from pipelines.tables import UNKNOWN
from pipelines.transcript import ROLE_GIVEN, Speaker, Word


def name_speakers(
    words: Sequence[Word],
    diarization: Diarization,
    channels: Channels,
    channel_roles: Mapping[int, str],
) -> tuple[tuple[Word, ...], tuple[Speaker, ...]]:
    """Name those who say a word `S1`, `S2`, … in order of their first one; give the words these names.

    A channel's role, where the metadata gave one, is its speaker's; any other role is `unknown`.
    """
    labels = dict.fromkeys(word.speaker for word in words if word.speaker != UNKNOWN)
    names = {label: f"S{number}" for number, label in enumerate(labels, 1)}
    if any(word.speaker == UNKNOWN for word in words):
        names[UNKNOWN] = UNKNOWN
    speakers = []
    for label, name in names.items():
        channel = int(label) if channels.mode == "split" and label != UNKNOWN else 0
        role = channel_roles.get(channel, "unknown")
        talk = merge([span for span in diarization.spans if span.speaker == label])
        confidence = 0.0 if role == "unknown" else ROLE_GIVEN
        speakers.append(Speaker(name, role, confidence, channel, talk, detected=talk))
    return tuple(replace(word, speaker=names[word.speaker]) for word in words), tuple(speakers)


def merge(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """The union of intervals, in order and without overlap."""
    merged: list[Interval] = []
    for interval in sorted(intervals, key=lambda interval: interval.start):
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(Interval(interval.start, interval.end))
    return tuple(merged)
