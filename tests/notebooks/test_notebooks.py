"""Every notebook runs from its first cell to its last over a store of two made calls."""

import ast
import json
from pathlib import Path

import pandas as pd
import pytest
from made_rows import made_call

from pipelines.store import Store

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_last_cell_shows_rows(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    store.write_call(made_call())
    monkeypatch.setenv("CALLFOLIO_STORE", str(store.root))
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    for source in sources:
        shown = shown_by(source, names)
        assert isinstance(shown, pd.DataFrame)
        assert len(shown)


def shown_by(source: str, names: dict[str, object]) -> object:
    """What a notebook would show for a cell: the value of its last expression."""
    *before, expression = ast.parse(source).body
    assert isinstance(expression, ast.Expr)
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(expression.value), "cell", "eval"), names)
