"""What a command would do: its stages, whether the cache holds them, how long and how large they will be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..storage import cache_folder, read_json
from . import keys, pipeline, rates

if TYPE_CHECKING:
    from ..transfer import Transfer
    from .selection import Selection
    from .study import Study

STAGES = ("encode", "fit", "caption", "answer", "score", "read")
BYTES = {"caption": 400, "answer": 300, "score": 2000, "read": 6000}
"""About how many a picture or question takes."""


@dataclass(frozen=True)
class Step:
    """One stage for one encoder.

    Attributes:
        stage: one of `STAGES`.
        encoder: its name in the study.
        what: the data set, or the seed of a fit.
        n: how many pictures, optimiser steps, or questions (once for each number of shots).
        unit: `pictures`, `steps` or `questions`.
        done: it is in the cache, or comes with the study.
        seconds: expected time; None where it was never measured on this machine.
        n_bytes: size on disk; None where it is not known before the encoder was first run.
    """

    stage: str
    encoder: str
    what: str
    n: int
    unit: str
    done: bool
    seconds: float | None
    n_bytes: int | None


def plan(study: Study, encoders: Sequence[str], selections: Sequence[Selection], *, until: str) -> list[Step]:
    """The stages up to `until` for these encoders and data sets, in order. Loads no model."""
    from ..answering import BLIND

    steps: list[Step] = [_said(study, BLIND, s, None, 0, until) for s in selections if until == "answer"]
    for name in encoders:
        study.encoder_spec(name)
        if until != "encode":
            steps += _fits(study, name)
        if until != "fit":
            for selection in selections:
                steps += _evaluation(study, name, selection, until)
    return steps


def _fits(study: Study, name: str) -> Iterator[Step]:
    n_seeds = study.settings.seeds or study.spec.train.seeds
    seeds = range(study.settings.seed, study.settings.seed + n_seeds)
    missing = [seed for seed in seeds if pipeline.fitted(study, name, seed) is None or "fit" in study.settings.force]
    recipe, training = study.recipe(name), study.training_of(name)
    if missing and not study.encoder_spec(name).train and recipe.features != "online":
        yield _encode(study, name, training, keys.features(study, name, training))
    steps = recipe.steps
    for seed in seeds:
        seconds = rates.seconds("fit", study, name, steps)
        there = pipeline.fitted(study, name, seed)
        size = folder_size(there) if there else None
        yield Step("fit", name, f"seed {seed}", steps, "steps", seed not in missing, seconds, size)


def _evaluation(study: Study, name: str, selection: Selection, until: str) -> Iterator[Step]:
    from ..transfer import Transfer
    from .answers import pictures_of
    from .token_scores import looked_at

    tuned = study.encoder_spec(name).train
    if until == "read":
        selection = looked_at(study, selection)
    shown = pictures_of(study, selection) if until == "answer" else [selection]
    for seed in range(study.settings.seed, study.settings.seed + (study.settings.seeds or study.spec.train.seeds)):
        there = pipeline.fitted(study, name, seed)
        transfer = Transfer.load(there) if there else None
        if tuned or seed == study.settings.seed:
            known = not tuned or transfer is not None
            for one in shown:
                key = keys.features(study, name, one, transfer if tuned else None) if known else ""
                yield _encode(study, name, one, key)
        if until != "encode":
            yield _said(study, name, selection, transfer, seed, "answer" if until == "answer" else "caption")
        if until in ("score", "read"):
            yield _scored(study, name, selection, transfer, seed, until)


def _said(study: Study, name: str, selection: Selection, transfer: Transfer | None, seed: int, stage: str) -> Step:
    """Captions, or answers, of one Transfer; without one, which is not there yet or (`blind`) never will be."""
    from ..answering import BLIND
    from .answers import examples

    blind = name == BLIND
    n = len(selection.manifest) * (len(study.spec.answering.passes) if stage == "answer" else 1)
    folder = None
    if transfer or blind:
        kind, key = (
            ("captions", keys.captions(study, name, selection, transfer))
            if stage == "caption" and transfer
            else ("answers", keys.answers(study, name, selection, examples(study), transfer))
        )
        folder = cache_folder() / kind / key
    done = folder is not None and (folder / "index.json").is_file() and stage not in study.settings.force
    seconds = None if blind else rates.seconds(stage, study, name, n)
    size = folder_size(folder) if folder and done else n * BYTES[stage]
    unit = "questions" if stage == "answer" else "pictures"
    what = selection.name if blind else f"{selection.name}, seed {seed}"
    return Step(stage, name, what, n, unit, done, seconds, size)


def _scored(study: Study, name: str, selection: Selection, transfer: Transfer | None, seed: int, stage: str) -> Step:
    """Scores of captions' tokens, or readings of soft prompts, of one Transfer."""
    from .token_scores import place_of

    n = len(selection.manifest)
    folder = place_of(study, name, selection, transfer, stage) if transfer else None
    done = folder is not None and (folder / "index.json").is_file() and stage not in study.settings.force
    size = folder_size(folder) if folder and done else n * BYTES[stage]
    what = f"{selection.name}, seed {seed}"
    return Step(stage, name, what, n, "pictures", done, rates.seconds(stage, study, name, n), size)


def _encode(study: Study, name: str, selection: Selection, key: str) -> Step:
    n = len(selection.manifest)
    folder = cache_folder() / "features" / key
    done = bool(key) and (folder / "index.json").is_file() and "encode" not in study.settings.force
    seconds = rates.seconds("encode", study, name, n)
    size = folder_size(folder) if done else _expected(study, name, n)
    return Step("encode", name, selection.name, n, "pictures", done, seconds, size)


def _expected(study: Study, name: str, n: int) -> int | None:
    """Bytes of `n` pictures' features, from the shape that a fit of this encoder wrote down."""
    there = pipeline.fitted(study, name, study.settings.seed)
    if there is None:
        return None
    written = read_json(there / "transfer.json")
    return 2 * n * int(written["tokens"]) * int(written["dim"])


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
