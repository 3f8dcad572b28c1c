"""Who speaks when: told by the diarizer, or by the channels where each is one speaker's."""

from collections.abc import Sequence

from models.diarizer import Diarizer
from models.speech import Diarization, Interval, SpeakerSpan, SpeechActivity
from pipelines.channels import Channels

EXPECTED_SPEAKERS = 2
"""A call or a consultation is a conversation of two, unless what is heard says otherwise."""


def diarize_voices(
    channels: Channels, speakers: int | None, diarizer: Diarizer, two_party: bool = True
) -> Diarization | None:
    """Diarize a `mono` or `mixed` call; None for a `split` one, whose channels are the speakers.

    `speakers` is their number where it is known; where it is not, `two_party` expects a conversation.
    """
    if channels.mode == "split":
        return None
    return diarizer.diarize(channels.tracks[0], speakers, expected=EXPECTED_SPEAKERS if two_party else 1)


def speakers_of(
    channels: Channels, activity: Sequence[SpeechActivity], voices: Diarization | None
) -> Diarization:
    """Who speaks when, by voice, or by the speech on each channel, which is then the speaker's label."""
    if voices is not None:
        return voices
    spans = tuple(
        SpeakerSpan(interval.start, interval.end, str(channel))
        for channel, heard in zip(channels.source_channels, activity, strict=True)
        for interval in heard.speech
    )
    return Diarization(spans, exclusive=spans)


def overlaps(diarization: Diarization) -> tuple[Interval, ...]:
    """Where two or more speak at once, in order and without overlap."""
    edges = sorted(
        [(span.start, 1) for span in diarization.spans] + [(span.end, -1) for span in diarization.spans]
    )
    found: list[Interval] = []
    speaking, since = 0, 0.0
    for time, change in edges:
        before, speaking = speaking, speaking + change
        if before < 2 <= speaking:
            since = time
        elif speaking < 2 <= before and time > since:
            found.append(Interval(since, time))
    return tuple(found)
