"""How much does what is learnt from texts hang on the noise, and on where texts stand? Gu et al. 2022, table 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.transfer import Transfer

from ._prefix_length.scores import Part, Scored, last
from ._sensitivity.claims import GROUP, MEASURES, claims
from ._sensitivity.systems import System, base_of, systems_of
from ._sensitivity.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivity(Result):
    """A row a fit: what was done to the texts that it learnt from, and how it captions pictures.

    `kind` is the feature adapter (`none`, `noise`, `mean shift`, `negated mean`, `random shift`, `linear`,
    `covariance`), or `pictures` (the upper bound), `blind`, `random control`, `another recipe` (learnt from texts, and
    differs from the others in more than the adapter), `not known`. `magnitude` is the length of the shift, `loss` the
    last one of held-out captions, which are texts where texts were learnt from. In
    `estimates`, `against` is empty for a level, `chance` for what is above it, else the system without a shift.
    """

    kind: ClassVar[str] = "sensitivity"
    columns: ClassVar[dict[str, str]] = {
        "encoder": "string",
        "seed": "int64",
        "kind": "string",
        "noise": "float64",
        "magnitude": "float64",
        "pictures": "int64",
        "named_right": "float64",
        "cider_d": "float64",
        "loss": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("sweeps",)
    main_group: ClassVar[str | None] = GROUP
    unpaired: ClassVar[str] = "has a row a fit, and none a picture"

    @property
    def systems(self) -> tuple[System, ...]:
        """What each system learnt from, in the order given."""
        rows = self.table.drop_duplicates("encoder")[["encoder", "kind", "noise", "magnitude"]]
        return tuple(System(str(a), str(b), float(c), float(d)) for a, b, c, d in rows.itertuples(index=False))

    @property
    def base(self) -> System | None:
        """The system to which the others are compared."""
        return next((one for one in self.systems if one.name == self.provenance["base"]), None)

    @property
    def measures(self) -> tuple[str, ...]:
        """The scores that were measured, the main one first."""
        there = set(self.estimates["measure"])
        return tuple(measure for measure in MEASURES if measure in there)

    def summary(self) -> str:
        """Each system's main score with interval, chance and n, and what differs from the one without a shift."""
        return sentence(self)

    def answer(self) -> str:
        """What noise and shifts change, and how far the upper bound is."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a system: what was done, scores with intervals beside chance, and the difference from the base."""
        return headline(self)

    def plot_sweeps(self) -> Figure:
        """Scores over noise and over the length of shifts, with 95 % intervals, chance and the upper bound."""
        from ._sensitivity.figures import sweeps

        return sweeps(self)


@analysis("sensitivity", title="How much hangs on the noise, and on where the texts stand that are learnt from?")
def sensitivity(
    transfers: Annotated[list[Transfer], On("sensitivity")],
    captions: Annotated[list[Captions], On("sensitivity")],
    references: Annotated[Manifest, On("sensitivity")],
    classes: Annotated[ConceptSet | None, On("sensitivity")] = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Sensitivity:
    """Score systems that learnt from texts against the noise and the shift that the texts' features were given.

    The systems are entries of a study that differ in `recipe: {feature_adapter: ...}`. Names right (where classes are
    known) are those of `awa-errors`, CIDEr-D is that of `caption-scores`, with their chance levels and intervals. Each
    is compared to the system without a shift, on the same pictures. Beside them stand the systems that learnt from
    pictures: the upper bound.

    Args:
        transfers: of each system and seed.
        captions: by each of them, over the same pictures.
        references: of these pictures.
        classes: what they show, where it is known.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no fits, or neither classes nor references to score captions by.
        MismatchError: captions and fits are not of the same systems and seeds.
        BadInputError: the fits of one system were made by different recipes.
    """
    _check(transfers, captions)
    systems = systems_of(transfers)
    base = base_of(systems)
    scored = Scored.of(Part(GROUP, captions, references, classes), n_resamples, seed)
    found = claims(scored, systems, base, n_resamples, seed)
    shared = {"study": captions[0].study, "on": captions[0].on}
    return Sensitivity(
        table=_table(systems, transfers, scored),
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in found]).reindex(columns=list(ESTIMATES)),
        provenance=shared
        | {
            "options": {"n_resamples": n_resamples, "seed": seed},
            "pictures": len(captions[0].row_ids),
            "base": base.name if base else "",
        },
    )


def _check(transfers: Sequence[Transfer], captions: Sequence[Captions]) -> None:
    if not transfers or not captions:
        raise EmptyDataError("There are no fits to score. Name some: concepttransfer sensitivity --encoder NAME")
    fits = {(one.encoder, one.seed) for one in transfers}
    if strange := sorted({(one.encoder, one.seed) for one in captions} ^ fits):
        encoder, seed = strange[0]
        raise MismatchError(f"Fits and captions do not belong together: {encoder}, seed {seed} is among one of them.")


def _table(systems: Sequence[System], transfers: Sequence[Transfer], scored: Scored) -> pd.DataFrame:
    fits = {(one.encoder, one.seed): one for one in transfers}
    about = {one.name: {"kind": one.kind, "noise": one.noise, "magnitude": one.magnitude} for one in systems}
    rows = [
        row | about[row["encoder"]] | {"loss": last(fits[row["encoder"], row["seed"]], "validation_loss")}
        for row in scored.values().to_dict("records")
    ]
    order = {one.name: place for place, one in enumerate(systems)}
    made = pd.DataFrame(rows).reindex(columns=list(Sensitivity.columns))
    return made.sort_values(
        ["encoder", "seed"], key=lambda c: c.map(order) if c.name == "encoder" else c, kind="stable"
    )
