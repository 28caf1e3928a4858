"""Does a classifier lose less on pictures that look otherwise than its accuracy on plain ones lets expect?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.probing.probed_sets import ProbedSets
from concepttransfer.result import ESTIMATES, Result

from ._awa_errors import estimates as est
from ._linear_probe.claims import naming
from ._robustness import claims
from ._robustness.claims import PROBE, ZERO_SHOT, Robust, Scores, robust
from ._robustness.words import answer, headline, sentence
from ._zero_shot_probe.said import Said, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = est.GROUPS["classes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Robustness(Result):
    """A row a classifier and data set: accuracy, that on plain pictures, what the line expects of it, the difference.

    A classifier is an encoder with `how`: a linear `probe`, or `zero-shot`. `expected` and `effective` are empty on the
    plain pictures, and of probes where fewer than three others make a line. In `estimates` the system `line` is the
    probes' own. `arrays`: `lines` [shifted sets, 2] slope and intercept on logit axes.
    """

    kind: ClassVar[str] = "robustness"
    columns: ClassVar[dict[str, str]] = {
        "encoder": "string",
        "how": "string",
        "on": "string",
        "pictures": "int64",
        "accuracy": "float64",
        "plain": "float64",
        "expected": "float64",
        "effective": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("line", "effective")
    main_group: ClassVar[str | None] = CLASSES
    unpaired: ClassVar[str] = "is about lines through several encoders"

    @property
    def plain(self) -> str:
        """The name of the plain pictures."""
        return str(self.provenance["data"][0])

    @property
    def shifted(self) -> tuple[str, ...]:
        """The names of the shifted sets."""
        return tuple(self.provenance["data"][1:])

    @property
    def systems(self) -> list[tuple[str, str]]:
        """Every classifier: the encoder, and how."""
        return [(encoder, how) for encoder, how in self.provenance["systems"]]

    def about(self, on: str, system: str, measure: str) -> pd.Series[Any]:
        """The claim about one data set, for classes like these; all NaN: none."""
        place = self._places.get((on, system, measure))
        return pd.Series(np.nan, index=list(ESTIMATES)) if place is None else self.estimates.iloc[place]

    @cached_property
    def _places(self) -> dict[tuple[str, str, str], int]:
        e = self.estimates[["on", "system", "measure", "group"]]
        return {(on, system, m): row for row, on, system, m, group in e.itertuples(name=None) if group == CLASSES}

    def summary(self) -> str:
        """The lines, and how far from them every classifier lies, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """How far zero-shot lies above the line of probes, on average over the shifted sets."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a classifier: accuracy on plain pictures, on shifted ones, and the distance from the line."""
        return headline(self)

    def plot_line(self) -> Figure:
        """Accuracy on shifted against plain pictures, logit axes, 95 % intervals; stars: zero-shot."""
        from ._robustness.figures import line

        return line(self)

    def plot_effective(self) -> Figure:
        """Points above what accuracy on plain pictures lets expect, with 95 % intervals; 0: on the line of probes."""
        from ._robustness.figures import effective

        return effective(self)


@analysis("robustness", title="Who loses less on shifted pictures than accuracy on plain ones lets expect?")
def robustness(
    sets: Annotated[list[ProbedSets], On("animals")],
    *,
    also: str = "",
    reads: Literal["projected", "own"] = "projected",
    templates: str = "",
    n_resamples: int = 2000,
    seed: int = 0,
) -> Robustness:
    """Set accuracy on shifted pictures against accuracy on plain ones, and measure who stands above the common line.

    Linear probes learn from plain pictures and are tested on both; a line is fitted to those of encoders that learnt,
    on logit axes (Taori et al. 2020). Effective robustness is accuracy on shifted pictures less what the line expects.
    It is given for zero-shot classifiers and random controls, and for a probe from the line of the others. With fewer
    than three probes the slope is 1. Intervals resample classes, and fit all lines anew; the encoders stay.

    Args:
        sets: of each encoder, plain pictures and shifted ones.
        also: the shifted data sets of the study, with commas; by default those of its role `shifted`.
        reads: what probes read of an encoder that reads texts: `projected`, what zero-shot reads, or its `own`
            features, as the study says.
        templates: sentences that class names are written into, as in zero-shot.
        n_resamples: resamples of each interval.
        seed: of the draws.

    Raises:
        EmptyDataError: there is nothing to learn from or to test on.
        BadInputError: there is no shifted data set.
        MismatchError: the data sets have other classes, or the encoders other pictures.
    """
    _refuse(sets)
    by_data = [list(mine) for mine in zip(*say(sets, n_draws=0, seed=seed), strict=True)]
    scores = scores_of(by_data)
    found = robust(scores.accuracy, scores.sizes, scores.ordinary)
    study = sets[0].study
    rows = [
        {"study": study, "on": on} | vars(claim) | vars(claim.estimate)
        for on, claim in claims.claims(scores, n_resamples=n_resamples, seed=seed)
    ]
    return Robustness(
        table=_table(scores, found),
        estimates=pd.DataFrame(rows).reindex(columns=list(ESTIMATES)),
        arrays={"lines": found.lines},
        provenance={
            "study": study,
            "on": scores.on[0],
            "data": list(scores.on),
            "systems": [list(system) for system in scores.systems],
            "n_ordinary": int(scores.ordinary.sum()),
            "reads": {one.encoder: one.reads for one in sets},
            "splits": {one.on: one.splits.how for one in sets[0].sets},
            "left_out": {
                name: why for name, why in (sets[0].left_out or {}).items() if name not in {s.encoder for s in sets}
            },
            "options": {"also": also, "reads": reads, "templates": templates}
            | {"n_resamples": n_resamples, "seed": seed},
        },
    )


def _refuse(sets: Sequence[ProbedSets]) -> None:
    if sets and len(sets[0].sets) < 2:
        raise BadInputError(
            f"There are no shifted pictures beside `{sets[0].on[0]}`. Name data sets of the study with --also, or in "
            "its file under `evaluate:` as `shifted:`."
        )
    names = {one.on: one.names for one in (sets[0].sets if sets else ())}
    plain = next(iter(names.values()), ())
    if others := [on for on, classes in names.items() if classes != plain]:
        raise MismatchError(
            f"`{others[0]}` has other classes ({len(names[others[0]])}) than `{sets[0].on[0]}` ({len(plain)}). A shift "
            "changes how the same classes look: name shifted pictures of the same classes."
        )


def scores_of(by_data: Sequence[Sequence[Said]]) -> Scores:
    """Right and wrong of all classifiers, probes first."""
    first = by_data[0]
    systems = [(one.encoder, PROBE) for one in first]
    systems += [(one.encoder, ZERO_SHOT) for one in first if one.zero_shot is not None]
    right, chance = [], []
    for mine in by_data:
        said = [one.probe for one in mine] + [one.zero_shot for one in mine if one.zero_shot is not None]
        right.append(np.stack([mine[0].right(one) for one in said]))
        n_classes = len(mine[0].names)
        chance.append([naming("", mine[0].truth, one[None], n_classes).chance for one in said])
    return Scores(
        tuple(systems),
        tuple(mine[0].on for mine in by_data),
        tuple(right),
        tuple(mine[0].truth for mine in by_data),
        np.array(chance).T,
    )


def _table(scores: Scores, found: Robust) -> pd.DataFrame:
    rows = []
    for row, (encoder, how) in enumerate(scores.systems):
        for column, on in enumerate(scores.on):
            known = column > 0
            rows.append(
                {
                    "encoder": encoder,
                    "how": how,
                    "on": on,
                    "pictures": int(scores.sizes[column]),
                    "accuracy": scores.accuracy[row, column],
                    "plain": scores.accuracy[row, 0],
                    "expected": found.expected[row, column - 1] if known else np.nan,
                    "effective": found.effective[row, column - 1] if known else np.nan,
                }
            )
    return pd.DataFrame(rows)
