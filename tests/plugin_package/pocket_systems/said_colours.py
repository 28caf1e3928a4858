"""An analysis: does a caption name the colours that people's captions of the picture name?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.statistics.resampling import Ratio, resample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("black", "blue", "brown", "gray", "green", "orange", "red", "white", "yellow")
MEASURE = "colours that a reference says"


@dataclass(frozen=True, kw_only=True, eq=False)
class SaidColours(Result):
    """A row a picture, encoder and seed: how many colours the caption says, and how many of them a reference says."""

    kind: ClassVar[str] = "said-colours"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "said": "int64",
        "right": "int64",
        "by_chance": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("shares",)

    def summary(self) -> str:
        """Each encoder's share, with interval, chance and n."""
        each = [
            f"{e.system} {e.value:.2f} ({e.low:.2f} to {e.high:.2f}, chance {e.chance:.2f}, n {e.n})"
            for e in self.estimates.itertuples()
        ]
        return f"Of the colours that captions say, references say: {'; '.join(each)}."

    def plot_shares(self) -> Figure:
        """Share of the colours said that a reference says, with 95 % interval; tick: chance."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 1 + 0.3 * len(self.estimates)))
        axes = figure.subplots()
        for place, e in enumerate(self.estimates.itertuples()):
            axes.plot([e.low, e.high], [place, place], color="0.5")
            axes.plot(e.value, place, "o", color="0.1")
            axes.plot(e.chance, place, "|", color="0.5")
        axes.set_yticks(range(len(self.estimates)), self.estimates["system"])
        axes.set_xlabel(MEASURE)
        return figure


@analysis("said-colours", title="Do captions name the colours that people name?")
def said_colours(
    captions: Annotated[list[Captions], On("captions")],
    references: Annotated[Manifest, On("captions")],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> SaidColours:
    """Of the colours that captions say, the share that a reference of the same picture says too.

    Chance: the same captions, each given to every picture in turn.

    Args:
        captions: of each encoder, over the same pictures.
        references: what people said of the pictures.
        n_resamples: resamples of each interval.
        seed: of the resampling.
    """
    truth = {row: _colours(" ".join(texts)) for row, texts in zip(references.ids, references.texts, strict=True)}
    share = {colour: float(np.mean([colour in said for said in truth.values()])) for colour in COLOURS}
    table = pd.DataFrame([row for one in captions for row in _rows(one, truth, share)])
    rows = [
        _estimate(encoder, mine, captions[0], n_resamples, seed)
        for encoder, mine in table.groupby("encoder", sort=False)
    ]
    return SaidColours(table=table, estimates=pd.DataFrame(rows).reindex(columns=list(ESTIMATES)))


def _colours(text: str) -> set[str]:
    return set(COLOURS) & set(text.lower().replace(",", " ").replace(".", " ").split())


def _rows(captions: Captions, truth: dict[str, set[str]], share: dict[str, float]) -> list[dict[str, Any]]:
    about = {"encoder": captions.encoder, "seed": captions.seed}
    rows = []
    for row, text in captions.texts().items():
        said = _colours(text)
        by_chance = sum(share[colour] for colour in said)
        rows.append(
            {"row_id": row, **about, "said": len(said), "right": len(said & truth[row]), "by_chance": by_chance}
        )
    return rows


def _estimate(encoder: Any, mine: pd.DataFrame, about: Captions, n_resamples: int, seed: int) -> dict[str, Any]:
    """The share of one encoder over all seeds; pictures and seeds are drawn anew for its interval."""
    right, said = (mine.pivot(index="seed", columns="row_id", values=name) for name in ("right", "said"))
    ratio = Ratio(right.to_numpy(float), said.to_numpy(float), 0.0, 1.0)
    (found,) = resample([ratio], np.arange(right.shape[1]), n_resamples=n_resamples, seed=seed)
    low, high = found.interval()
    return {
        "study": about.study,
        "on": about.on,
        "system": encoder,
        "group": "all",
        "measure": MEASURE,
        "value": found.value,
        "low": low,
        "high": high,
        "chance": mine["by_chance"].sum() / max(mine["said"].sum(), 1),
        "n": found.n,
        "n_clusters": found.n_clusters,
        "n_seeds": found.n_seeds,
        "method": f"pictures and seeds resampled {n_resamples} times",
    }
