"""What a user can set for the processing of calls, and the fingerprint by which a call is done again."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from models.errors import UsageError
from models.speech import Vocabulary
from pipelines.levers import Levers

Kind = Literal["contact_center", "consultation"]

PIPELINE_VERSION = version("callfolio")

SILENCE_S = 3.0
"""The shortest stretch without talk that counts as non-talk time, where nothing else is set."""


@dataclass(frozen=True)
class CallSettings:
    """Settings that hold for every recording that its metadata does not set otherwise.

    None is for what is to be found out: `kind` by what is said, `language`, an ISO 639-1 code, and the number
    of `speakers` by ear. `silence_s` are the seconds without talk from which on these are non-talk time.
    `levers` are not for users to set, but for the ablation.
    """

    kind: Kind | None = None
    language: str | None = None
    speakers: int | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    silence_s: float = SILENCE_S
    levers: Levers = field(default_factory=Levers)

    def as_json(self) -> str:
        """The settings as a JSON object, keys in order."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)


def fingerprint(settings: CallSettings, models: Mapping[str, str]) -> str:
    """SHA-256 in hex over the version, the settings and the models (name to SHA-256 of its files)."""
    facts = {"version": PIPELINE_VERSION, "settings": settings.as_json(), "models": dict(models)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def threads_each(cores: int) -> int:
    """Threads of each model of a process that has `cores`.

    It does two things at once: it transcribes and diarizes, or decodes the two channels of a call. On two
    cores that is half as fast again as all threads for one thing after the other.
    """
    return max(1, cores // 2)


def read_vocabulary(path: Path | None) -> Vocabulary:
    """The vocabulary in a TOML file with `hotwords`, a list of texts, and `prompt`, a text; both optional.

    Raises `UsageError` that says what is wrong with the file.
    """
    if path is None:
        return Vocabulary()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The vocabulary {path} cannot be read: {error}.") from error
    hotwords, prompt = content.pop("hotwords", []), content.pop("prompt", "")
    if content:
        raise UsageError(f"The vocabulary {path} has {', '.join(content)}; it may have hotwords and prompt.")
    if not isinstance(hotwords, list) or not all(isinstance(word, str) for word in [*hotwords, prompt]):
        raise UsageError(f"In the vocabulary {path}, hotwords is a list of texts and prompt is a text.")
    return Vocabulary(", ".join(hotwords), prompt)
