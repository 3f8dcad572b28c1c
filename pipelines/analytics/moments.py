"""What the analysis of a conversation finds: figures of the call, its speakers and turns, and moments.

Each figure is defined where its column is declared, in `pipelines.tables`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.speech import Interval


@dataclass(frozen=True)
class Moment(Interval):
    """Something that happens in a call; `kind`, `value` and the speakers as the table `moments` says.

    `speaker` and `other_speaker` are empty and `turn` is None where there is none.
    """

    kind: str
    speaker: str = ""
    other_speaker: str = ""
    turn: int | None = None
    value: float | None = None


@dataclass(frozen=True)
class TurnFigures:
    """What is measured of a turn."""

    words_per_minute: float | None
    loudness_dbfs: float | None
    fillers: int | None
    response_s: float | None


@dataclass(frozen=True)
class SpeakerFigures:
    """What is measured of a speaker."""

    talk_s: float
    talk_share: float
    longest_turn_s: float
    mean_turn_s: float
    longest_monologue_s: float
    interruptions: int
    interruption_s: float
    interrupted: int
    backchannels: int
    overlap_s: float
    response_median_s: float | None
    response_p90_s: float | None
    words_per_minute: float | None
    fillers: int | None
    filler_rate: float | None
    first_word_s: float | None
    loudness_dbfs: float | None
    loudness_by_second: tuple[float | None, ...]
    clipped_share: float


@dataclass(frozen=True)
class Conversation:
    """What is found in a conversation; `turns` in the order of the call's, `speakers` by name."""

    moments: tuple[Moment, ...]
    turns: tuple[TurnFigures, ...]
    speakers: Mapping[str, SpeakerFigures]
    non_talk_s: float
    hold_s: float
    music_s: float
    dead_air_start_s: float
    dead_air_end_s: float
    interruptions: int
    overlap_share: float
    first_agent_word_s: float | None
    first_customer_word_s: float | None
