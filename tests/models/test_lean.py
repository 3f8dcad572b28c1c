import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

REPORT = "print('transformers' in sys.modules, 'torchvision' in sys.modules)"


def output_of(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_what_listens_is_imported_without_what_only_training_needs() -> None:
    program = (
        "import sys; from models.lean import lean_imports\n"
        "with lean_imports(): import models.loaded\n"
        f"{REPORT}"
    )
    assert output_of(program) == ["False", "False"]


def test_what_was_spared_can_be_imported_afterwards() -> None:
    program = (
        "import sys; from models.lean import lean_imports\n"
        "with lean_imports(): import models.loaded\n"
        "from lightning_utilities.core.imports import RequirementCache\n"
        "import models.embedder\n"
        f"{REPORT}; print(bool(RequirementCache('transformers')))"
    )
    assert output_of(program)[0::2] == ["True", "True"]
