"""When nobody talks: silences, holds, and the dead air at both ends of a call."""

from collections.abc import Sequence
from typing import Final

from models.speech import Interval
from pipelines.analytics.moments import Moment
from pipelines.analytics.phrases import HOLD_BEGINS, HOLD_ENDS, mentions
from pipelines.analytics.stretches import Stretches, gaps, shared
from pipelines.transcript import Word

LEAST_HOLD_S: Final = 5.0
"""A hold is longer than a pause to think; music or an announcement makes it a hold."""

_WORDS_BEFORE: Final = 20
_WORDS_AFTER: Final = 10
"""Where an announcement is looked for: a hold follows it at once, or a few words of consent later."""


def without_talk(
    talk: Stretches,
    music: Stretches,
    words: Sequence[Word],
    duration: float,
    language: str,
    silence_s: float,
) -> tuple[Moment, ...]:
    """The moments of a call of `duration` s in which nobody talks, in order.

    A stretch without talk counts from `silence_s` on. `talk` is that of all speakers together, `music` that
    of all tracks, `words` are in order of start.
    """
    quiet = gaps(talk, 0.0, duration)
    found = [Moment(stretch.start, stretch.end, "music", value=stretch.duration) for stretch in music]
    for gap in quiet:
        if gap.duration >= LEAST_HOLD_S and (shared([gap], music) or _announced(gap, words, language)):
            kind = "hold"
        elif gap.duration < silence_s:
            continue
        elif gap.start <= 0.0:
            kind = "dead_air_start"
        elif gap.end >= duration:
            kind = "dead_air_end"
        else:
            kind = "silence"
        found.append(Moment(gap.start, gap.end, kind, value=gap.duration))
    return tuple(sorted(found, key=lambda moment: (moment.start, moment.kind)))


def _announced(gap: Interval, words: Sequence[Word], language: str) -> bool:
    """Whether what is said last before the gap tells that it comes, or first after it that it was."""
    before = " ".join(
        word.text for word in [word for word in words if word.start < gap.start][-_WORDS_BEFORE:]
    )
    after = " ".join(word.text for word in [word for word in words if word.end > gap.end][:_WORDS_AFTER])
    return mentions(before, HOLD_BEGINS.get(language, frozenset())) or mentions(
        after, HOLD_ENDS.get(language, frozenset())
    )
