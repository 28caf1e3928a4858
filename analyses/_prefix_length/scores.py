"""What is measured of each fit: names and CIDEr-D of training and other pictures, by the analyses that score them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import EmptyDataError
from concepttransfer.manifest import Manifest
from concepttransfer.statistics import LEVEL, Estimate
from concepttransfer.statistics.claims import CHANCE, Claim, corrected, stem

from .._awa_errors import estimates as naming
from .._caption_scores import measures as m
from ..awa_errors import awa_errors
from ..caption_scores import ALL, caption_scores

if TYPE_CHECKING:
    from concepttransfer.result import Result
    from concepttransfer.transfer import Transfer

TRAINING, OTHERS = "training pictures", "other pictures"
HELD_OUT = "held-out captions"
RIGHT, CIDER, LOSS = naming.RIGHT, m.CIDER, "loss"
CLASSES = naming.GROUPS["classes"]
COLUMNS = {
    "encoder": "string",
    "mapper": "string",
    "prefix": "int64",
    "seed": "int64",
    "part": "string",
    "pictures": "Int64",
    "named_right": "float64",
    "cider_d": "float64",
    "loss": "float64",
    "parameters": "int64",
}


@dataclass(frozen=True)
class Part:
    """Pictures of one kind, and what was said of them.

    Attributes:
        name: `TRAINING` or `OTHERS`.
        captions: of every fit, over the same pictures.
        references: of these pictures.
        classes: what they show, where it is known.
    """

    name: str
    captions: Sequence[Captions]
    references: Manifest
    classes: ConceptSet | None


@dataclass(frozen=True)
class Scored:
    """A part with its scores; a score is None where there is nothing to score by."""

    part: Part
    named: Result | None
    worded: Result | None

    @classmethod
    def of(cls, part: Part, n_resamples: int, seed: int) -> Scored:
        """Score by names and by words, as `awa-errors` and `caption-scores` do."""
        said = list(part.captions)
        named: Result | None = None
        worded: Result | None = None
        if part.classes is not None and any(row in part.classes.truth for row in said[0].row_ids):
            named = awa_errors(said, part.classes, n_resamples=n_resamples, seed=seed)
        if any(part.references.texts):
            worded = caption_scores(said, part.references, n_resamples=n_resamples, seed=seed)
        if named is None and worded is None:
            raise EmptyDataError(f"Of the {part.name} neither classes nor captions are known: nothing can be scored.")
        return cls(part, named, worded)

    def claims(self) -> Iterator[Claim]:
        """Names right and CIDEr-D of each encoder: the level, and what is above chance."""
        for result, measure, group in ((self.named, RIGHT, CLASSES), (self.worded, CIDER, ALL)):
            if result is None:
                continue
            for encoder, against in itertools.product(result.encoders, (None, CHANCE)):
                row = result.claim(encoder, measure, against=against, group=group)
                yield Claim(encoder, self.part.name, measure, against, _estimate(row))

    def values(self) -> pd.DataFrame:
        """A row an encoder and seed."""
        by = ["encoder", "seed"]
        tables = []
        for result, column, name in ((self.named, "right", "named_right"), (self.worded, "cider_d", "cider_d")):
            if result is not None:
                grouped = result.table.groupby(by, sort=False, observed=True)[column]
                tables.append(grouped.mean().rename(name).astype("float64"))
        frame = pd.concat(tables, axis=1).reset_index()
        return frame.assign(part=self.part.name, pictures=len(self.part.captions[0].row_ids))


def _estimate(row: pd.Series[Any]) -> Estimate:
    value, low, high, chance, p = (float(row[name]) for name in ("value", "low", "high", "chance", "p"))
    n, n_clusters, n_seeds = (int(row[name]) for name in ("n", "n_clusters", "n_seeds"))
    return Estimate(value, low, high, chance, p, n=n, n_clusters=n_clusters, n_seeds=n_seeds, method=str(row["method"]))


def all_claims(transfers: Sequence[Transfer], scored: Sequence[Scored]) -> list[Claim]:
    """Scores of all parts, with q over them, then losses."""
    return [*corrected([claim for one in scored for claim in one.claims()]), *losses(transfers)]


def losses(transfers: Sequence[Transfer]) -> Iterator[Claim]:
    """The last loss of each encoder's fits, in nats a token, of what they learnt and of what was held out."""
    for encoder in dict.fromkeys(one.encoder for one in transfers):
        mine = [one for one in transfers if one.encoder == encoder]
        for group, column, rows in ((TRAINING, "loss", "rows"), (HELD_OUT, "validation_loss", "held_out")):
            values = [last(one, column) for one in mine]
            if np.isfinite(values).all():
                yield Claim(encoder, group, LOSS, None, _over_seeds(values, int(mine[0].meta.get(rows, 0))))


def last(transfer: Transfer, column: str) -> float:
    """The last loss in a history; NaN where there is none, as of a fit that was imported.

    The training loss of a step is that of its batch, so that of the last tenth of all steps is taken.
    """
    values = transfer.history[column].dropna()
    some = -(-len(values) // 10) if column == "loss" else 1
    return float(values.iloc[-some:].mean()) if len(values) else np.nan


def _over_seeds(values: Sequence[float], rows: int) -> Estimate:
    from scipy import stats

    n, value = len(values), float(np.mean(values))
    how = "Student's t over seeds" if n > 1 else "one seed: no interval"
    reach = np.nan
    if n > 1:
        reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / n**0.5)
    method = f"{how}; no chance level: it would take fits on shuffled pictures"
    return Estimate(value, value - reach, value + reach, n=rows, n_clusters=n, n_seeds=n, method=method)


def table(transfers: Sequence[Transfer], scored: Sequence[Scored]) -> pd.DataFrame:
    """A row a fit and part: prefix length, scores, the loss that belongs to the part, parameters that were trained."""
    columns = {TRAINING: "loss", OTHERS: "validation_loss"}
    fits = {(one.encoder, one.seed): one for one in transfers}
    frame = pd.concat([one.values() for one in scored], ignore_index=True)
    rows = []
    for row in frame.to_dict("records"):
        fit = fits[row["encoder"], row["seed"]]
        more = {"mapper": stem(fit.encoder), "prefix": fit.soft_prompts, "parameters": fit.n_trained}
        rows.append(row | more | {"loss": last(fit, columns[row["part"]])})
    made = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    return made.sort_values(["mapper", "prefix"], kind="stable", ignore_index=True)
