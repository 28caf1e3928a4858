"""Every notebook runs from top to bottom on the microworld, shows tables and figures, and is the pair of its script."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WANTED = ["01_first_transfer", "02_your_own_encoder", "03_reading_the_errors", "04_paper"]


def test_the_notebooks_are_there_each_with_its_script():
    assert [path.stem for path in NOTEBOOKS] == WANTED
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == WANTED


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_and_its_script_hold_the_same_cells_and_no_outputs(path):
    """`jupytext --sync notebooks/*.py` makes them so."""
    notebook, script = nbformat.read(path, as_version=4), jupytext.read(path.with_suffix(".py"))
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in script.cells]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert not any(re.search(r"^\s*print\(", cell.source, re.MULTILINE) for cell in code), "results show themselves"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_tables_and_figures(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    said = "".join(output.get("text", "") for output in outputs)
    assert "Error" not in said
