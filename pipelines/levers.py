"""What of the processing can be switched off, to see what it is worth: `callfolio benchmark --ablation`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Levers:
    """Steps that change what is found and that a call can do without. All are on unless somebody measures."""

    two_party_prior: bool = True
    """Where clustering finds one voice it looks for a second; if they differ, `utterance_voices` tells."""

    utterance_voices: bool = True
    """Who says an utterance is decided by its own voice, and not by the window that it was diarized in; what
    was taken for two speakers and is one voice becomes one."""

    verbatim_prompt: bool = True
    """The recogniser is shown what people say twice, in the languages that have a text for it."""

    word_edges_on_sound: bool = True
    """Words begin and end where the sound beside them does, and last no longer than a word can."""

    cross_talk_suppression: bool = True
    """What leaks from one side of a two-channel call into the other is taken out before anything is heard."""

    def each_off(self) -> Iterator[tuple[str, "Levers"]]:
        """For each lever that is on, its name and these levers without it."""
        for lever in fields(self):
            if getattr(self, lever.name):
                yield lever.name, replace(self, **{lever.name: False})
