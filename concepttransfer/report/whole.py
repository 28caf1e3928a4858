"""The whole report of a study: run every analysis that has no result yet, then make the page of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError
from ..processes import is_main
from ..processes.crew import helpers
from ..study.every import Outcome, run_every, tasks
from .gather import Broken
from .page import build

if TYPE_CHECKING:
    from ..study import Study


@dataclass(frozen=True)
class StudyReport:
    """A page, and what became of each analysis.

    Attributes:
        page: the file of the page.
        outcomes: of every installed analysis and data set.
    """

    page: Path
    outcomes: tuple[Outcome, ...]


def report_study(
    study: Study,
    *,
    encoders: Sequence[str] = ("all",),
    on: str | None = None,
    runs: Path = Path("runs"),
    out: Path = Path("runs/report"),
    seed: int = 0,
    force: bool = False,
    jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> StudyReport:
    """Run every installed analysis that the study has data for, and put their results on one page.

    A result that is saved below `runs` is reused when it is exactly what would be computed: same artifacts, options,
    code and libraries. Each new one is saved as soon as it is there, so the same call goes on where it was stopped.

    Args:
        study: whose analyses they are.
        encoders: of the study; random controls are added.
        on: data in place of those of every role; a role: only its analyses.
        runs: where results go, as the commands of the analyses save them.
        out: where the page goes.
        seed: of the analyses' draws.
        force: compute results again that are saved already.
        jobs: processes that work side by side; None: on the CPU one a core, up to four; with a GPU one.
        options: of analyses, by name; each analysis takes those that it has.
        told: called with the outcome of each analysis as it is known.

    Raises:
        BadInputError: no analysis gave a result.
    """
    named = study.named(encoders)
    todo, left = tasks(study, named, on=on, runs=runs)
    for outcome in left:
        told(outcome)
    given = {"seed": seed, **(options or {})}
    jobs = jobs or helpers(study.settings.device)
    every = study.with_twins(named)
    outcomes = [*left, *run_every(study, todo, every, options=given, runs=runs, force=force, jobs=jobs, told=told)]
    folders = [outcome.folder for outcome in outcomes if outcome.folder is not None]
    without = [Broken(outcome.name, outcome.reason) for outcome in outcomes if outcome.folder is None]
    if not folders:
        reasons = "\n".join(f"  {one.name}: {one.reason}" for one in without)
        raise BadInputError(f"None of {len(without)} analyses gave a result:\n{reasons}")
    page = out / "index.html"
    if is_main():
        page = build(folders, out, left_out=without, quiet=study.settings.quiet)
    return StudyReport(page, tuple(outcomes))
