"""Every installed analysis on a study's data: which can be run, in which order; what is saved already is not run."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .. import analysis
from ..errors import BadInputError, ConceptTransferError
from ..processes import is_main
from ..processes.crew import crew
from ..progress import progress
from .artifacts import LONG, make
from .run_analysis import Prepared, saved_result
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
    runs: Path = Path("runs"),
    force: bool = False,
    jobs: int = 1,
    told: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run what is missing, each saved as soon as it is there. One that fails takes no other with it.

    Args:
        study: whose analyses they are.
        todo: from `tasks`.
        encoders: with their random controls.
        options: by name; each analysis takes those that it has.
        runs: the folder of all results.
        force: compute results again that are saved already; their artifacts are reused.
        jobs: processes that work side by side; 1: this one alone.
        told: called with each outcome as it is known.

    Returns:
        The outcomes, in the order of `todo`.
    """
    every = _Every(study, tuple(todo), tuple(encoders), dict(options), runs, force)
    outcomes = dict[int, Outcome]()
    with _bar(every) as bar, crew(every, jobs) as hands:
        for _ in hands.each(_make, every.stages, lambda stage: bar.set_description(every.said(stage))):
            bar.update()
        for numbers in every.in_turn():
            for number, outcome in hands.each(_outcome, numbers, lambda n: bar.set_description(todo[n].name)):
                outcomes[number] = outcome
                told(outcome)
                bar.update()
    return [outcomes[number] for number in sorted(outcomes)]


def _bar(every: _Every) -> Any:
    quiet = every.study.settings.quiet
    return progress(len(every.stages) + len(every.todo), "report", unit="step", quiet=quiet)


class _Stage(NamedTuple):
    """One artifact of one encoder, as the first analysis that names it does."""

    task: int
    artifact: int
    encoder: str


@dataclass(frozen=True)
class _Every:
    """All that is to be run, for whoever takes a piece of it."""

    study: Study
    todo: tuple[Task, ...]
    encoders: tuple[str, ...]
    options: dict[str, Any]
    runs: Path
    force: bool

    @cached_property
    def stages(self) -> list[_Stage]:
        """What takes long before any analysis, an encoder at a time, so that the bar's ending time means something."""
        found = dict[tuple[str, str, str], _Stage]()
        for number, task in enumerate(self.todo):
            for n, artifact in enumerate(task.spec.artifacts):
                for encoder in self.encoders if artifact.kind.__name__ in LONG else ():
                    what = (artifact.kind.__name__, task.selection.name, encoder)
                    found.setdefault(what, _Stage(number, n, encoder))
        return sorted(found.values(), key=lambda stage: LONG.index(self._kind(stage)))

    def _kind(self, stage: _Stage) -> str:
        return self.todo[stage.task].spec.artifacts[stage.artifact].kind.__name__

    def said(self, stage: _Stage) -> str:
        """A stage in words: `token scores of beit on test`."""
        kind = re.sub(r"(?<!^)(?=[A-Z])", " ", self._kind(stage)).lower()
        return f"{kind} of {stage.encoder} on {self.todo[stage.task].selection.name}"

    def in_turn(self) -> tuple[list[int], list[int]]:
        """The numbers of the analyses; those about results of others come when these are there."""
        about_results = [number for number, task in enumerate(self.todo) if task.spec.of]
        return [number for number in range(len(self.todo)) if number not in about_results], about_results


def _make(every: _Every, stage: _Stage) -> None:
    """Make an artifact, which is kept in the cache; where that fails, the analysis that needs it says so."""
    task = every.todo[stage.task]
    with contextlib.suppress(Exception):
        make(every.study, task.spec.artifacts[stage.artifact], [stage.encoder], task.selection, {})


def _outcome(every: _Every, number: int) -> Outcome:
    """Run one analysis, unless its result is there."""
    task, start = every.todo[number], time.perf_counter()
    try:
        how = _run(every, task)
    except ConceptTransferError as error:
        return Outcome(task.name, "left out", str(error), seconds=time.perf_counter() - start)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Outcome(task.name, "failed", reason, seconds=time.perf_counter() - start)
    return Outcome(task.name, how, folder=task.folder, seconds=time.perf_counter() - start)


def _run(every: _Every, task: Task) -> How:
    own = {option.name: every.options[option.name] for option in task.spec.options if option.name in every.options}
    prepared = Prepared(every.study, task.spec, every.encoders, task.selection, own, every.runs)
    if not every.force and is_saved(task.folder, prepared.key):
        return "reused"
    result = prepared.run()
    if is_main():
        result.save(task.folder)
        every.study.save_fits(result, task.folder)
    return "computed"


def is_saved(folder: Path, key: str) -> bool:
    """Whether a folder holds, whole, the result of this key."""
    return saved_result(folder, key) is not None
