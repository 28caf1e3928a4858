"""Results of several studies that are missing, made side by side: fits, then what takes long, then the analyses."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..processes.crew import crew, helpers
from ..progress import progress
from . import imports, keys, pipeline, rates
from .artifacts import LONG, TOGETHER, make
from .plan import Step, plan
from .run_analysis import FITTED
from .saved import built, missing_of, saved_of

if TYPE_CHECKING:
    from ..analysis import Spec
    from ..report.gather import Saved
    from .selection import Selection
    from .study import Study


@dataclass(frozen=True)
class Missing:
    """One analysis of some encoders of a study, about which there is no result.

    Attributes:
        study: whose encoders they are.
        spec: the analysis.
        selection: the pictures.
        encoders: with their random controls.
    """

    study: Study
    spec: Spec
    selection: Selection
    encoders: tuple[str, ...]

    def without(self, saved: Sequence[Saved]) -> Missing | None:
        """The same for the encoders about which no result is saved; None where there is one about each."""
        left = missing_of(self.encoders, saved_of(self.study, self.spec.name, saved, self.selection))
        return replace(self, encoders=tuple(left)) if left else None


class _Fit(NamedTuple):
    """One fit of one encoder; `number` is that of the first result that needs it."""

    number: int
    encoder: str
    seed: int


class _Stage(NamedTuple):
    """An artifact that takes long, of one encoder, or of all where it is best made for all at once."""

    number: int
    artifact: int
    kind: str
    encoders: tuple[str, ...]


Piece = _Fit | _Stage | int
"""What is done at a time; a number is that of a result."""


def make_missing(missing: Sequence[Missing], runs: Path, *, jobs: int | None = None, quiet: bool = False) -> None:
    """Make results that are missing, and save each below `runs`. What was finished is kept where it is stopped.

    Args:
        missing: which.
        runs: the folder of all results.
        jobs: processes that work side by side; None: on the CPU one a core, up to four; with a GPU one.
        quiet: no progress bar.

    Raises:
        ConceptTransferError: one of them cannot be made.
    """
    work = _Work(tuple(missing), runs)
    if not missing:
        return
    jobs = min(jobs or helpers(missing[0].study.settings.device), len(work.pieces))
    with progress(len(work.pieces), "make", unit="step", quiet=quiet, even=False) as bar, crew(work, jobs) as hands:
        for _ in hands.each(_do, work.pieces, lambda one: bar.set_description(work.said(one)), work.needs):
            bar.update()


def steps_of(missing: Sequence[Missing], stages: Sequence[str]) -> list[Step]:
    """What has to be made before these results, each once, with the time that it takes where that can be told.

    A stage that was never measured for an encoder takes as long as the middle one of those that were.

    Args:
        missing: which results.
        stages: of each the last stage that it needs.
    """
    steps: dict[tuple[str, str, str, str], Step] = {}
    for one, stage in zip(missing, stages, strict=True):
        for step in plan(one.study, one.encoders, [one.selection], until=stage):
            if not step.done:
                known = step.seconds if step.seconds is not None else rates.typical(step.stage, step.n)
                told = Step(**vars(step) | {"encoder": f"{one.study.name}/{step.encoder}", "seconds": known})
                steps.setdefault((one.study.name, step.stage, step.encoder, step.what), told)
    return list(steps.values())


@dataclass(frozen=True)
class _Work:
    """All that is to be made, for whoever takes a piece of it."""

    missing: tuple[Missing, ...]
    runs: Path

    @cached_property
    def pieces(self) -> list[Piece]:
        """Fits, then artifacts in the order in which they are best made, then results."""
        stages = {stage for some in self._stages.values() for stage in some}
        ordered = sorted(stages, key=lambda one: (LONG.index(one.kind), one.number, one.encoders))
        return [*dict.fromkeys(self._fits.values()), *ordered, *range(len(self.missing))]

    @cached_property
    def _fits(self) -> dict[tuple[str, str, int], _Fit]:
        """Those that are not there, by study, encoder and seed; one that several studies have is made once."""
        known: dict[str, _Fit] = {}
        found: dict[tuple[str, str, int], _Fit] = {}
        for number, one in enumerate(self.missing):
            for encoder in one.encoders if _needs_fits(one.spec) else ():
                for seed in _missing_seeds(one.study, encoder):
                    key = keys.fit(one.study, encoder, one.study.training_of(encoder), seed)
                    fit = known.setdefault(key, _Fit(number, encoder, seed))
                    found[one.study.name, encoder, seed] = fit
        return found

    @cached_property
    def _stages(self) -> dict[int, list[_Stage]]:
        """Those that each result needs; what several need is that of the first."""
        known = dict[tuple[str, str, str, tuple[str, ...]], _Stage]()
        found: dict[int, list[_Stage]] = {}
        for number, one in enumerate(self.missing):
            found[number] = []
            for place, artifact in enumerate(one.spec.artifacts):
                kind = artifact.kind.__name__
                each = [one.encoders] if kind in TOGETHER else [(encoder,) for encoder in one.encoders]
                for some in each if kind in LONG else ():
                    what = (one.study.name, kind, one.selection.manifest.id, some)
                    found[number].append(known.setdefault(what, _Stage(number, place, kind, some)))
        return found

    def needs(self, piece: Piece) -> Collection[Piece]:
        """What must be there first: an artifact's fits; the captions that others are made of; a result's artifacts."""
        if isinstance(piece, int):
            return self._stages[piece]
        if isinstance(piece, _Fit):
            return ()
        name = self.missing[piece.number].study.name
        fits = [fit for (study, encoder, _), fit in self._fits.items() if study == name and encoder in piece.encoders]
        captions = [
            one
            for stages in self._stages.values()
            for one in stages
            if one.kind == "Captions" != piece.kind and self.missing[one.number].study.name == name
        ]
        return [*fits, *(one for one in captions if set(one.encoders) <= set(piece.encoders))]

    def said(self, piece: Piece) -> str:
        """A piece in words: `fit clipcap/mlp, seed 0`, `captions of clipcap/mlp`, `awa-errors of clipcap`."""
        number = piece if isinstance(piece, int) else piece.number
        study = self.missing[number].study.name
        if isinstance(piece, int):
            return f"{self.missing[piece].spec.name} of {study}"
        if isinstance(piece, _Fit):
            return f"fit {study}/{piece.encoder}, seed {piece.seed}"
        who = piece.encoders[0] if len(piece.encoders) == 1 else f"{len(piece.encoders)} encoders"
        return f"{piece.kind} of {study}/{who}"


def _needs_fits(spec: Spec) -> bool:
    return any(artifact.kind.__name__ in FITTED and not artifact.optional for artifact in spec.artifacts)


def _missing_seeds(study: Study, encoder: str) -> list[int]:
    """The seeds whose fit is neither in the cache nor with the study; none where a projection was imported."""
    if imports.find(study, encoder):
        return []
    first = study.settings.seed
    seeds = range(first, first + (study.settings.seeds or study.spec.train.seeds))
    return [seed for seed in seeds if pipeline.fitted(study, encoder, seed) is None]


def _do(work: _Work, piece: Piece) -> None:
    """Make one piece. Where an artifact cannot be made, the result that needs it says so."""
    if isinstance(piece, int):
        one = work.missing[piece]
        unforced = one.study.replace(force=())  # what was asked for anew is made by now
        built(unforced, one.spec, one.encoders, one.selection, work.runs)
        return
    one = work.missing[piece.number]
    if isinstance(piece, _Fit):
        pipeline.transfers(one.study.replace(seed=piece.seed, seeds=1), piece.encoder)
        return
    with contextlib.suppress(Exception):
        make(one.study, one.spec.artifacts[piece.artifact], piece.encoders, one.selection, {})


__all__ = ["Missing", "make_missing", "steps_of"]
