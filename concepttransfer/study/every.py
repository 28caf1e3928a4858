"""Every installed analysis on a study's data: which can be run, in which order; what is saved already is not run."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .. import analysis
from ..errors import BadInputError, ConceptTransferError
from ..processes import is_main
from ..processes.crew import crew
from ..progress import progress
from .artifacts import LONG, TOGETHER, make
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
        for piece, outcome in hands.each(
            _do, every.pieces, lambda one: bar.set_description(every.said(one)), every.needs
        ):
            if isinstance(piece, int) and outcome is not None:
                outcomes[piece] = outcome
                told(outcome)
            bar.update()
    return [outcomes[number] for number in sorted(outcomes)]


def _bar(every: _Every) -> Any:
    return progress(len(every.pieces), "report", unit="step", quiet=every.study.settings.quiet, even=False)


class _Stage(NamedTuple):
    """An artifact of some encoders, one where it can be made for one alone, as the first analysis that names it does.

    Attributes:
        kind: its type's name.
        task: the number of that analysis.
        artifact: which of its artifacts.
        encoders: whose.
    """

    kind: str
    task: int
    artifact: int
    encoders: tuple[str, ...]


Piece = _Stage | int
"""What is done at a time: a stage, or an analysis, by its number."""


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
    def pieces(self) -> list[Piece]:
        """Stages an encoder at a time, so that the bar's ending time means something; each analysis behind its own."""
        stages = sorted({stage for some in self._stages.values() for stage in some}, key=self._place)
        found = list[Piece](stages)
        for number in range(len(self.todo)):
            if not self.todo[number].spec.of:
                behind = [found.index(stage) for stage in self._stages[number]]
                place = max(behind, default=-1) + 1
                while place < len(found) and isinstance(found[place], int):
                    place += 1
                found.insert(place, number)
        return found + [number for number, task in enumerate(self.todo) if task.spec.of]

    def _place(self, stage: _Stage) -> tuple[int, int, int]:
        return LONG.index(stage.kind), stage.task, self.encoders.index(stage.encoders[0])

    @cached_property
    def _stages(self) -> dict[int, list[_Stage]]:
        """Those that each analysis needs; what several need is that of the first."""
        known = dict[tuple[str, str, tuple[str, ...]], _Stage]()
        found: dict[int, list[_Stage]] = {}
        for number, task in enumerate(self.todo):
            found[number] = []
            for n, artifact in enumerate(task.spec.artifacts):
                kind = artifact.kind.__name__
                each = [self.encoders] if kind in TOGETHER else [(one,) for one in self.encoders]
                for some in each if kind in LONG else ():
                    what = (kind, task.selection.name, some)
                    found[number].append(known.setdefault(what, _Stage(kind, number, n, some)))
        return found

    def needs(self, piece: Piece) -> Collection[Piece]:
        """What must be there first: an analysis's stages; of one about results, all other analyses."""
        if not isinstance(piece, int):
            return ()
        if self.todo[piece].spec.of:
            return [number for number, task in enumerate(self.todo) if not task.spec.of]
        return self._stages[piece]

    def said(self, piece: Piece) -> str:
        """A piece in words: `token scores of beit on test`, `linear-probe on test`."""
        if isinstance(piece, int):
            return self.todo[piece].name
        kind = re.sub(r"(?<!^)(?=[A-Z])", " ", piece.kind).lower()
        who = piece.encoders[0] if len(piece.encoders) == 1 else f"{len(piece.encoders)} encoders"
        return f"{kind} of {who} on {self.todo[piece.task].selection.name}"


def _do(every: _Every, piece: Piece) -> Outcome | None:
    """Make an artifact, which is kept in the cache, or run an analysis.

    Where an artifact cannot be made, the analysis that needs it says so.
    """
    if isinstance(piece, int):
        return _outcome(every, piece)
    task = every.todo[piece.task]
    with contextlib.suppress(Exception):
        make(every.study, task.spec.artifacts[piece.artifact], piece.encoders, task.selection, {})
    return None


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
