"""Results as a table on the screen, as JSON, and as the page made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from concepttransfer.storage import write_text

RESULTS = Path(__file__).parent / "results"
Entry = dict[str, Any]

_HEAD = """# Results

Made by `make bench` from the JSON files beside this page; do not edit. [docs/benchmarks.md](../../docs/benchmarks.md)
tells what is measured and how. `ours` and `baseline` are of that pair of runs whose ratio is the median.
"""


def file_name(entry: Entry) -> str:
    """`DATE-MACHINE.json`, the machine in words."""
    words = re.sub(r"[^a-z0-9]+", "-", entry["machine"].lower()).strip("-")
    return f"{entry['date'][:10]}-{words}.json"


def save(entries: Sequence[Entry], folder: Path = RESULTS) -> Path:
    """Write entries to the day's file of this machine; those of the same name that are there are replaced."""
    path = folder / file_name(entries[0])
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    new = {entry["name"] for entry in entries}
    everything = [entry for entry in kept if entry["name"] not in new] + list(entries)
    write_text(path, json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    write_text(folder / "README.md", page(folder))
    return path


def page(folder: Path = RESULTS) -> str:
    """The page of all results files, the newest first."""
    sections = [_HEAD]
    for path in sorted(folder.glob("*.json"), reverse=True):
        entries = json.loads(path.read_text(encoding="utf-8"))
        about = ", ".join(f"{name} {found}" for name, found in entries[-1]["versions"].items())
        sections.append(f"## {entries[-1]['date'][:10]}: {entries[-1]['machine']}\n\n{about}\n\n{_markdown(entries)}\n")
    return "\n".join(sections)


def text(entries: Sequence[Entry]) -> str:
    """A table for the screen."""
    rows = [_HEADINGS, *map(_cells, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


_HEADINGS = ("what", "unit", "ours", "baseline", "ratio", "goal", "met")


def _cells(entry: Entry) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "NO"}[entry["met"]]
    figures = (f"{entry[name]:.4g}" for name in ("ours", "baseline", "ratio"))
    return entry["name"], entry["unit"], *figures, entry["goal"] or "", met


def _markdown(entries: Sequence[Entry]) -> str:
    rows = [_HEADINGS, ["---"] * len(_HEADINGS), *map(_cells, entries)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
