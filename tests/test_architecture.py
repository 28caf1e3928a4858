"""Who may import whom, and what is loaded when: the promises of docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "sklearn", "umap", "spacy")


def imported(path: Path) -> list[str]:
    """The absolute names that a file imports anywhere in it."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return names


def test_nothing_imports_analyses():
    files = list((ROOT / "concepttransfer").rglob("*.py"))
    assert len(files) > 30
    guilty = [
        (path.name, name)
        for path in files
        for name in imported(path)
        if name.split(".")[0] == "analyses" or name.startswith("concepttransfer.analyses")
    ]
    assert guilty == []


def test_the_command_line_is_imported_by_nothing_below_it():
    above = ("cli", "__main__.py")
    below = [p for p in (ROOT / "concepttransfer").rglob("*.py") if not set(above) & set(p.relative_to(ROOT).parts)]
    guilty = [
        (p.name, n)
        for p in [*below, *(ROOT / "analyses").glob("*.py")]
        for n in imported(p)
        if n.split(".")[:2] == ["concepttransfer", "cli"]
    ]
    assert guilty == []


def test_the_notion_of_imported_sees_relative_ones():
    assert "concepttransfer.errors" in imported(ROOT / "concepttransfer" / "storage.py")
    assert "concepttransfer.cli.options" in imported(ROOT / "concepttransfer" / "cli" / "stages.py")


@pytest.mark.parametrize("arguments", [["--help"], ["analyses"], ["awa-errors", "--help"], ["studies", "list"]])
def test_looking_around_loads_no_heavy_library(arguments):
    code = (
        "import sys; from concepttransfer.cli import main; status = main(sys.argv[1:]);"
        f"print('LOADED', [m for m in {HEAVY!r} if m in sys.modules], status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED [] 0", done.stdout + done.stderr


def test_public_names_are_sorted_and_there():
    import concepttransfer

    assert concepttransfer.__all__ == sorted(concepttransfer.__all__)
    assert all(getattr(concepttransfer, name) is not None for name in concepttransfer.__all__)
    with pytest.raises(AttributeError, match="no attribute `nonsense`"):
        _ = concepttransfer.nonsense


def test_no_file_holds_a_path_of_somebodys_machine():
    import re

    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = [ROOT / f for f in files if Path(f).suffix in {".py", ".md", ".yaml", ".toml", ".txt", ".json", ".ipynb"}]
    found = [
        p.name for p in texts if p.is_file() and re.search(r"/(home|root|Users)/\w", p.read_text(encoding="utf-8"))
    ]
    assert found == []
