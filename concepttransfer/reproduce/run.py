"""Run a paper's study, building what is missing, and fill its tables; a killed run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import BadInputError
from ..processes import is_main
from ..storage import write_json, write_text
from ..tables import write_table
from .published import Paper, PublishedTable, read_paper
from .tables import fill, wide

if TYPE_CHECKING:
    from ..result import Result
    from ..study import Study

REHEARSED_STEPS, REHEARSED_BATCH, REHEARSED_ROWS = 2, 32, 20
"""Optimiser steps, captions a step, and rows of each data set of a rehearsal."""


@dataclass(frozen=True)
class Reproduction:
    """The filled tables of one paper.

    Attributes:
        paper: what was printed.
        cells: a row a cell, in the columns `tables.CELLS`.
        results: the Results behind them, by table and data set.
        folder: where they lie.
    """

    paper: Paper
    cells: pd.DataFrame
    results: Mapping[str, Mapping[str, Result]]
    folder: Path

    def table(self, name: str) -> pd.DataFrame:
        """One table as a person reads it: `ours [low, high] (printed)`; `?` marks a doubtful printed value."""
        return wide(self.cells[self.cells["table"] == name])


def reproduce(study: Study, folder: Path, *, encoders: Sequence[str] = ("all",)) -> Reproduction:
    """Make whatever the tables of the study's paper need, and fill them.

    Each Result is saved below `folder` as soon as it is computed. What was encoded, fitted and said is in the cache, so
    the same command goes on where an earlier run stopped.

    Args:
        study: names its paper.
        folder: of the Results (`results/ANALYSIS/DATA`), `cells.csv`, and each table as csv and Markdown.
        encoders: of the study; their random controls come with them.

    Raises:
        BadInputError: the study names no paper.
        ConceptTransferError: data or weights are missing; the message says what to put where.
    """
    paper = read_paper(named_paper(study))
    wanted = study.with_twins(encoders)
    results = {name: _results(study, table, wanted, folder) for name, table in paper.tables.items()}
    cells = pd.concat([fill(name, paper.tables[name], found, wanted) for name, found in results.items()])
    made = Reproduction(paper, cells.reset_index(drop=True), results, folder)
    if is_main():
        _write(made, study)
    return made


def _write(made: Reproduction, study: Study) -> None:
    paper, folder = made.paper, made.folder
    write_table(folder / "cells.csv", made.cells)
    for name in paper.tables:
        made.table(name).to_csv(folder / f"{name}.csv")
        write_text(folder / f"{name}.md", markdown(made, name, study))
    write_json(folder / "paper.json", {"title": paper.title, "source": paper.source, "study": study.name})


def named_paper(study: Study) -> str:
    """The paper whose tables a study fills.

    Raises:
        BadInputError: it names none.
    """
    if study.spec.paper is None:
        raise BadInputError(
            f"Study `{study.name}` names no paper whose tables could be filled. Take `limber`, or write "
            "`paper: limber` (or `like: limber`) into the study's file."
        )
    return study.spec.paper


def rehearsal(study: Study) -> Study:
    """The same study with two steps a fit and twenty rows of each data set: does everything run, and fit into memory?

    Its fits and captions lie under keys of their own: nothing of a rehearsal is ever taken for the real thing.
    """
    recipe = study.spec.train
    short = {"steps": REHEARSED_STEPS, "batch_size": min(recipe.batch_size, REHEARSED_BATCH)}
    spec = study.spec.model_copy(
        update={"name": f"{study.name}-rehearsal", "train": recipe.model_copy(update=short)},
    )
    return study.with_spec(spec).replace(limit=min(study.settings.limit or REHEARSED_ROWS, REHEARSED_ROWS))


def _results(study: Study, table: PublishedTable, encoders: Sequence[str], folder: Path) -> dict[str, Result]:
    """The Results that a table needs, each saved when it is there."""
    found: dict[str, Result] = {}
    for data in dict.fromkeys(column.data for column in table.columns):
        found[data] = study.analyze(table.analysis, encoders=encoders, on=data, **table.options)
        if is_main():
            saved = found[data].save(folder / "results" / table.analysis / data)
            study.save_fits(found[data], saved)
    return found


def markdown(made: Reproduction, name: str, study: Study) -> str:
    """One table as a Markdown page, with what a reader must know."""
    table = made.paper.tables[name]
    grid = made.table(name).reset_index()
    lines = ["| " + " | ".join(grid.columns) + " |", "|" + " --- |" * len(grid.columns)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in grid.itertuples(index=False)]
    doubts = [f"- {d.row}{', ' + d.column if d.column else ''}: {d.why}" for d in table.doubts]
    rehearsed = study.name.endswith("-rehearsal")
    return "\n".join(
        [
            f"# {table.title}",
            "",
            *(["**A rehearsal: two steps a fit and at most twenty rows. Its numbers mean nothing.**", ""] * rehearsed),
            f"Study `{study.name}`. In each cell: our value, its 95 % interval in brackets, the printed value in "
            f"parentheses (`?`: doubtful). Printed in: {made.paper.title}. {made.paper.source}",
            "",
            *lines,
            "",
            *([table.note, ""] if table.note else []),
            *(["Doubtful printed values:", "", *doubts, ""] if doubts else []),
        ]
    )
