"""Which models to work with: those of a profile, with any of them replaced, all found on this machine."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.bundle import LocatedModel, State, locate, located_from_folder, resolve, state, verify
from models.catalogue import ROLES, Catalogue, Model, Role
from models.errors import UsageError


@dataclass(frozen=True)
class Selection:
    """A model for each role that is filled, by role."""

    profile: str
    models: Mapping[Role, LocatedModel]

    @property
    def digests(self) -> dict[str, str]:
        """Name to SHA-256 of each model: what tells one selection's results from another's.

        Models of one name, as folders of a user's own may have, are told apart by their roles.
        """
        names = Counter(model.name for model in self.models.values())
        return {
            model.name if names[model.name] == 1 else f"{model.name} ({role})": model.sha256
            for role, model in self.models.items()
        }


def wanted(catalogue: Catalogue, profile: str, replacements: Mapping[str, str]) -> dict[Role, Model | Path]:
    """The models of `profile`, with `replacements` from role to a name, a path or a hub id.

    Raises `UsageError` for an unknown profile, role or model.
    """
    chosen: dict[Role, Model | Path] = {model.role: model for model in catalogue.profile(profile).models}
    for name, reference in replacements.items():
        role = next((role for role in ROLES if role == name), None)
        if role is None:
            raise UsageError(f'There is no model role "{name}". Roles are: {", ".join(ROLES)}.')
        chosen[role] = resolve(reference, role, catalogue)
        if role == "diarization":
            for part in _DIARIZATION_PARTS:
                chosen.pop(part, None)
        elif role in _DIARIZATION_PARTS:
            chosen.pop("diarization", None)
    _check_complete(chosen)
    return chosen


def select(catalogue: Catalogue, profile: str, replacements: Mapping[str, str], directory: Path) -> Selection:
    """Find the wanted models in the bundle in `directory` and check every file of them.

    A profile's model of an optional role that was not pulled is left out; each call then says what it lacks.
    Raises `UsageError`, and `ModelMissing` or `ModelDamaged`, which say how to mend it.
    """
    found: dict[Role, LocatedModel] = {}
    for role, model in wanted(catalogue, profile, replacements).items():
        if isinstance(model, Path):
            found[role] = located_from_folder(role, model)
        elif role in _OPTIONAL and role not in replacements and state(model, directory) is State.MISSING:
            continue
        else:
            locate(model, directory)
            found[role] = verify(model, directory)
    return Selection(profile, found)


_DIARIZATION_PARTS: tuple[Role, ...] = ("segmentation", "embedding", "plda")
_OPTIONAL: tuple[Role, ...] = ("sentence_embedding",)


def _check_complete(chosen: Mapping[Role, Model | Path]) -> None:
    missing = [role for role in ("recogniser",) if role not in chosen]
    if "diarization" not in chosen:
        missing += [role for role in _DIARIZATION_PARTS if role not in chosen]
    if missing:
        raise UsageError(
            f"No model is chosen for: {', '.join(missing)}. Choose a profile that has one, or name a model "
            "with --model ROLE=MODEL."
        )
