"""Pulling models with their progress on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from models.bundle import State, pull, state
from models.catalogue import Model


def pull_all(models: Sequence[Model], directory: Path) -> None:
    """Bring the models into the bundle, one after another. Raises `ModelUnavailable`."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        for model in models:
            task = progress.add_task(model.name, total=model.bytes)

            def show(
                step: str, completed: int, total: int | None, task: int = task, name: str = model.name
            ) -> None:
                progress.update(task, description=f"{name}: {step}", completed=completed, total=total)  # type: ignore[arg-type]

            was = state(model, directory)
            located = pull(model, directory, show)
            size = sum(path.stat().st_size for path in located.files.values())
            progress.update(task, description=f"{model.name}: ready", completed=size, total=size)
            if not console.is_terminal:
                how = "was there" if was is State.PRESENT else "pulled"
                console.print(f"{model.name}: {how}, {size / 1e6:.0f} MB, checked", highlight=False)
