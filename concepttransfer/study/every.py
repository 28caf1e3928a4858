"""Every installed analysis on a study's data: which can be run, in which order; what is saved already is not run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import analysis
from ..errors import BadInputError, ConceptTransferError
from ..processes import is_main
from ..progress import progress
from ..result import Result
from . import pipeline
from .run_analysis import Prepared
from .selection import Selection

if TYPE_CHECKING:
    from ..analysis import Spec
    from .study import Study

How = Literal["computed", "reused", "left out", "failed"]


@dataclass(frozen=True)
class Task:
    """One analysis on one data set, and the folder of its result."""

    spec: Spec
    selection: Selection
    folder: Path

    @property
    def name(self) -> str:
        """As it is told: `awa-errors on test`."""
        return f"{self.spec.name} on {self.selection.name}"


@dataclass(frozen=True)
class Outcome:
    """What became of one analysis.

    Attributes:
        name: the analysis, and its data where they are known.
        how: `computed`, `reused` (saved already, with the same key), `left out` (something lacks), `failed` (a fault).
        reason: why there is no result.
        folder: of the result.
        seconds: that it took.
    """

    name: str
    how: How
    reason: str = ""
    folder: Path | None = None
    seconds: float = 0.0


def default_folder(study: Study, name: str, on: str, encoders: Sequence[str], runs: Path = Path("runs")) -> Path:
    """Where a result goes when nothing else is said: `runs/ANALYSIS/STUDY-DATA-ENCODERS`."""
    named = [encoder.replace(":", "-") for encoder in encoders]
    who = "+".join(named) if len(encoders) <= 4 else f"{len(encoders)}-encoders"
    return runs / name / f"{study.name}-{on}-{who}"


def tasks(
    study: Study, encoders: Sequence[str], *, on: str | None = None, runs: Path = Path("runs")
) -> tuple[list[Task], list[Outcome]]:
    """What can be run on the study's data, and what is left out, with the reason. Reads data, loads no model.

    Args:
        study: names the data of each role.
        encoders: as named, without their random controls; they name the folders.
        on: data in place of those of every role; a role: only its analyses.
        runs: the folder of all results.
    """
    found, left = list[Task](), list[Outcome]()
    for name in sorted(analysis.names(), key=analysis.place):
        try:
            spec = analysis.get(name)
            for selection in _data(study, spec, on):
                folder = default_folder(study, name, selection.name, encoders, runs)
                found.append(Task(spec, selection, folder))
        except ConceptTransferError as error:
            left.append(Outcome(name, "left out", str(error)))
    return found, left


def _data(study: Study, spec: Spec, on: str | None) -> list[Selection]:
    """The data sets of an analysis's role, or those put in their place; each with at least one row.

    Raises:
        ConceptTransferError: there are none.
    """
    if len(spec.roles) != 1:
        raise BadInputError(f"It asks for data of the roles {', '.join(spec.roles) or '(none)'}; a report gives one.")
    role = spec.roles[0]
    if on in study.spec.evaluate and on != role:
        raise BadInputError(f"It is about data of the role `{role}`, and only `{on}` was asked about.")
    if on is None and role not in study.spec.evaluate:
        raise BadInputError(f"Study `{study.name}` names no data for the role `{role}` under `evaluate:`.")
    selections = study.select(on or role, role=role)
    for selection in selections:
        len(selection.manifest)
    return selections


def run_every(
    study: Study,
    todo: Sequence[Task],
    encoders: Sequence[str],
    *,
    options: Mapping[str, Any],
    force: bool = False,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run what is missing, each saved as soon as it is there. One that fails takes no other with it.

    Args:
        study: whose analyses they are.
        todo: from `tasks`.
        encoders: with their random controls.
        options: by name; each analysis takes those that it has.
        force: compute results again that are saved already; their artifacts are reused.
        told: called with each outcome.
    """
    outcomes = []
    stages = list(_stages(todo, encoders))
    with progress(len(stages) + len(todo), "report", unit="step", quiet=study.settings.quiet) as bar:
        for what, encoder, selection in stages:
            bar.set_description(f"{what} of {encoder} on {selection.name}")
            with contextlib.suppress(ConceptTransferError):  # the analysis that needs it says so
                _make(study, what, encoder, selection)
            bar.update()
        for number, task in enumerate(todo, start=1):
            bar.set_description(f"analysis {number} of {len(todo)}: {task.name}")
            outcomes.append(_outcome(study, task, encoders, options, force))
            told(outcomes[-1])
            bar.update()
    return outcomes


def _stages(todo: Sequence[Task], encoders: Sequence[str]) -> Iterator[tuple[str, str, Selection]]:
    """What takes long before any analysis, an encoder at a time, so that the bar's ending time means something."""
    seen = set()
    for task in todo:
        kinds = {artifact.kind.__name__ for artifact in task.spec.artifacts}
        for what in ("captions", "answers"):
            for encoder in encoders:
                step = (what, encoder, task.selection.name)
                if what.capitalize() in kinds and step not in seen:
                    seen.add(step)
                    yield what, encoder, task.selection


def _make(study: Study, what: str, encoder: str, selection: Selection) -> Any:
    if what == "captions":
        return pipeline.captions(study, encoder, selection)
    from .answers import answers

    return answers(study, encoder, selection)


def _outcome(study: Study, task: Task, encoders: Sequence[str], options: Mapping[str, Any], force: bool) -> Outcome:
    start = time.perf_counter()
    try:
        how = _run(study, task, encoders, options, force)
    except ConceptTransferError as error:
        return Outcome(task.name, "left out", str(error), seconds=time.perf_counter() - start)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Outcome(task.name, "failed", reason, seconds=time.perf_counter() - start)
    return Outcome(task.name, how, folder=task.folder, seconds=time.perf_counter() - start)


def _run(study: Study, task: Task, encoders: Sequence[str], options: Mapping[str, Any], force: bool) -> How:
    own = {option.name: options[option.name] for option in task.spec.options if option.name in options}
    prepared = Prepared(study, task.spec, encoders, task.selection, own)
    if not force and is_saved(task.folder, prepared.key):
        return "reused"
    result = prepared.run()
    if is_main():
        result.save(task.folder)
        study.save_fits(result, task.folder)
    return "computed"


def is_saved(folder: Path, key: str) -> bool:
    """Whether a folder holds, whole, the result of this key."""
    try:
        return Result.load(folder).provenance.get("key") == key
    except (ConceptTransferError, OSError, ValueError):
        return False
