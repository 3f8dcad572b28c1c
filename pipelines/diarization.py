"""Who speaks when: told by the diarizer, or by the channels where each is one speaker's."""

from collections.abc import Sequence

from models.diarizer import Diarizer
from models.recogniser import SpeechActivity
from models.speech import Diarization, Interval, SpeakerSpan
from pipelines.channels import Channels

EXPECTED_SPEAKERS = 2
"""A call or a consultation is a conversation of two, unless what is heard says otherwise."""


def tell_speakers_apart(
    channels: Channels, activity: Sequence[SpeechActivity], speakers: int | None, diarizer: Diarizer
) -> Diarization:
    """Diarize a `mono` or `mixed` call; for a `split` one the speech on each channel is its speaker's.

    `speakers` is their number where it is known. Speakers are labelled by their channel, from 1, in a
    `split` call, and as the diarizer likes otherwise.
    """
    if channels.mode != "split":
        return diarizer.diarize(channels.tracks[0], speakers, expected=EXPECTED_SPEAKERS)
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
