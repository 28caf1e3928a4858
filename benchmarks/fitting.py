"""Fitting from the store against encoding in every step, with a DataLoader's processes reading ahead."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader

from benchmarks.measure import REAL, NotHere, NotTheSame, Sides, megabytes, seconds, timed
from benchmarks.record import Measurement, at_least, rate
from concepttransfer.inputs import Items, collate
from concepttransfer.microworld.data import forget_drawn
from concepttransfer.training.sources import OnlineFeatures, StoredFeatures

if TYPE_CHECKING:
    from torch import Tensor

    from concepttransfer.study.study import Study

FIRST = 8
"""Losses that are compared: later ones drift apart, because the store holds float16."""


@dataclass(frozen=True)
class Fit:
    """One study's encoder, fitted on some rows for some steps of the study's own batch; what it is to reach."""

    study: str
    encoder: str
    what: str
    rows: int
    steps: int
    goal: float


@dataclass(frozen=True)
class Size:
    """The fits, and how often each side runs."""

    fits: tuple[Fit, ...]
    pairs: int = 3


FULL = Size(
    (
        Fit("microworld", "beit", "microworld beit, drawing included", rows=800, steps=100, goal=2),
        Fit("photographs", "mobilenet", "mobilenet on tiny ImageNet, pooled", rows=160, steps=40, goal=5),
    )
)
TINY = Size(
    (
        Fit("microworld", "beit", "microworld beit", rows=20, steps=2, goal=2),
        Fit("photographs", "mobilenet", "mobilenet on tiny ImageNet", rows=10, steps=1, goal=5),
    ),
    pairs=1,
)


class EncodedInEveryStep(OnlineFeatures):
    """The usual loop: a DataLoader's processes read the pictures of coming steps, the encoder runs in each step."""

    def __init__(self, encoder: Any, manifest: Any, batches: Sequence[list[int]]) -> None:
        """`batches` are the rows that each call of `batch` will ask for, in order."""
        super().__init__(encoder, manifest)
        items = Items.of(manifest, encoder)
        workers = max(len(os.sched_getaffinity(0)) - 1, 1)
        self._coming = iter(DataLoader(items, batch_sampler=batches, num_workers=workers, collate_fn=collated))  # type: ignore[arg-type]

    def batch(self, rows: Any, choices: Any = None) -> Tensor:
        """Features of the next batch."""
        numbers, pictures, _ = next(self._coming)
        if numbers != rows.tolist():
            raise NotTheSame("The fit asks for other rows than were planned.")
        features: Tensor = self._encoder.encode(pictures)
        return features


def collated(items: Any) -> Any:
    """A batch. Pictures of the microworld that were drawn for it are not kept: photographs are not either."""
    forget_drawn()
    return collate(items)


def prepare(fit: Fit, folder: Path) -> Sides:
    """Each side gives the losses of the first steps. Nothing is held out; all else is the study's recipe."""
    from concepttransfer.study import keys, pipeline
    from concepttransfer.training import fit as training

    study = _study(fit)
    encoder, model, manifest = pipeline.load_encoder(study, fit.encoder), study.language_model, study.training.manifest
    recipe = study.spec.train.model_copy(update={"steps": fit.steps, "validation": 0.0, "evaluate_every": 1})
    prompt_tokens = study.encoder_spec(fit.encoder).prompt_tokens
    stored = pipeline.features(study, fit.encoder, study.training)
    batches = _batches(study, recipe, stored)
    numbers = itertools.count()

    def losses(source: Any) -> list[float]:
        where = folder / f"transfer-{next(numbers)}"
        how = {"prompt": keys.training_prompt(study, fit.encoder), "prompt_tokens": prompt_tokens, "quiet": True}
        named = {"key": where.name, "encoder_name": fit.encoder, "seed": 0}
        done = training.fit(source, manifest.texts, model, recipe, where, **named, **how)
        return [float(loss) for loss in done.history["loss"][:FIRST]]

    def same(a: list[float], b: list[float]) -> bool:
        return len(a) == len(b) and all(abs(x - y) < 0.01 * y for x, y in zip(a, b, strict=True))

    return Sides(
        lambda: losses(StoredFeatures(stored)), lambda: losses(EncodedInEveryStep(encoder, manifest, batches)), same
    )


def _study(fit: Fit) -> Study:
    from concepttransfer.study.study import load_study

    if fit.study == "photographs":
        if not REAL.is_dir():
            raise NotHere("It reads photographs: set CONCEPTTRANSFER_REAL to the folder that holds them.")
        os.environ["CONCEPTTRANSFER_REAL"] = str(REAL)
    return load_study(fit.study, quiet=True).with_training(None, fit.rows)


def _batches(study: Study, recipe: Any, stored: Any) -> list[list[int]]:
    """The rows that a fit asks for: all of them once for their mean and deviation, then those of each step."""
    from accelerate import Accelerator

    from concepttransfer.training.run import Job, TrainingRun
    from concepttransfer.training.sources import statistics

    class Noted(StoredFeatures):
        asked: list[list[int]] = []  # noqa: RUF012

        def batch(self, rows: Any, choices: Any = None) -> Tensor:
            self.asked.append(rows.tolist())
            return super().batch(rows, choices)

    source = Noted(stored)
    job = Job(source, study.training.manifest.texts, study.language_model, recipe, 0, "", None, False)
    plan = TrainingRun(job, Accelerator()).plan
    statistics(source, plan.rows)
    return [*source.asked, *(plan.batch(step).rows.tolist() for step in range(recipe.steps))]


def run(size: Size) -> list[Measurement]:
    """Samples a second, without and with the making of the store, and peak memory."""
    return [measurement for fit in size.fits for measurement in _measured(fit, size.pairs)]


def _measured(fit: Fit, pairs: int) -> list[Measurement]:
    with TemporaryDirectory() as folder:
        took = seconds(prepare(fit, Path(folder)), pairs)
    used, made = megabytes(prepare, fit), _encoding_seconds(fit)
    study = _study(fit)
    n = fit.steps * study.spec.train.batch_size
    what = f"fitting from the store, {fit.what}, {n} samples of {fit.rows} pictures"
    goal = at_least(fit.goal)
    return [
        rate(what, "samples/s", n, took.ours, took.baseline, goal),
        rate(f"{what}, the store made for it", "samples/s", n, took.ours + made, took.baseline, goal),
        Measurement(f"{what}: peak memory", "MB", used.ours, used.baseline),
    ]


def _encoding_seconds(fit: Fit) -> float:
    """Seconds that the making of the store takes."""
    from concepttransfer.features import encode
    from concepttransfer.study import pipeline

    study = _study(fit)
    encoder = pipeline.load_encoder(study, fit.encoder)
    with TemporaryDirectory() as folder:
        made = lambda: encode(study.training.manifest, encoder, Path(folder) / "store", key="key", quiet=True)  # noqa: E731
        return timed(made)[0]
