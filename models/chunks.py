"""Speech in chunks that a recogniser decodes at once: cut where the pauses are longest.

WhisperX fills each chunk up to its limit and cuts wherever that ends, often within a sentence. Decoded
with half a sentence at its edge, a chunk loses words there.
"""

import math
from collections.abc import Sequence

from models.speech import Interval

MARGIN_S = 0.2
"""Sound kept before and after a chunk: detection comes late to soft beginnings and leaves soft endings."""

_CLEAN_PAUSE_S = 0.5
"""A cut costs less the longer its pause, by a factor of e for each so many seconds."""

_CHUNK_COST = 0.3
"""What a chunk costs in itself: without it all would be cut at every pause, and context be lost."""


def cut_at_pauses(speech: Sequence[Interval], longest: float, duration: float) -> tuple[Interval, ...]:
    """Put stretches of speech, in order, each at most `longest` seconds, together to chunks of that length.

    Of all ways to do so the one with the smallest cost is taken. Chunks get a margin within the recording of
    `duration` seconds, half of the pause at most, and overlap nowhere.
    """
    best = [0.0] + [math.inf] * len(speech)
    first = [0] * (len(speech) + 1)
    for end in range(1, len(speech) + 1):
        cut = 0.0
        if end < len(speech):
            cut = math.exp((speech[end - 1].end - speech[end].start) / _CLEAN_PAUSE_S)
        for start in range(end - 1, -1, -1):
            length = speech[end - 1].end - speech[start].start
            if length > longest - 2 * MARGIN_S and start < end - 1:
                break
            cost = best[start] + cut + _CHUNK_COST
            if cost < best[end]:
                best[end], first[end] = cost, start
    chunks: list[Interval] = []
    end = len(speech)
    while end:
        start = first[end]
        before = speech[start - 1].end if start else -math.inf
        after = speech[end].start if end < len(speech) else math.inf
        left, right = speech[start].start, speech[end - 1].end
        room = max(longest - (right - left), 0.0) / 2
        chunks.append(
            Interval(
                max(left - min(MARGIN_S, (left - before) / 2, room), 0.0),
                min(right + min(MARGIN_S, (after - right) / 2, room), duration),
            )
        )
        end = start
    return tuple(reversed(chunks))
