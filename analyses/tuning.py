"""What does training more than a linear map buy? LiMBeR against MAGMA, or against tuning everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import EmptyDataError
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.statistics.claims import Claim, corrected
from concepttransfer.transfer import Transfer

from ._compare.claims import compare_rows
from ._compare.given import systems_of
from ._compare.rows import align
from ._compare.table import chances
from ._tuning.fits import COLUMNS, fits_of, least, table
from ._tuning.words import answer, headline, sentence
from .awa_errors import awa_errors
from .caption_scores import caption_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALL = "all"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuning(Result):
    """A row a system: which parts its fit trained, how many parameters these are, and how many captions it saw.

    `estimates` has each system's level in each measure, and the difference of every two (`against`) over the same
    pictures. A system called `blind`, or `...-blind`, never saw a picture; `...-random` has an encoder that learnt
    nothing.
    """

    kind: ClassVar[str] = "tuning"
    columns: ClassVar[dict[str, str]] = COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("parameters",)
    main_group: ClassVar[str | None] = ALL
    unpaired: ClassVar[str] = "has a row a system; compare what it rests on, caption-scores or awa-errors"

    @property
    def measures(self) -> tuple[str, ...]:
        """What was measured, the main one first."""
        return tuple(self.provenance["measures"])

    @property
    def least(self) -> str | None:
        """The system that trains fewest parameters and sees, such as the linear map; None: all are blind or random."""
        return least(self.table)

    def difference(self, system: str, measure: str, other: str) -> tuple[pd.Series[Any], int]:
        """The claim about two systems, and 1, or -1 where it is told as the other one less this one."""
        found = self.claim(system, measure, against=other)
        return (found, 1) if pd.notna(found["measure"]) else (self.claim(other, measure, against=system), -1)

    def summary(self) -> str:
        """What each system trains and how high it comes, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """What the best one has more than the one that trains least, and what that one has more than a blind one."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a system: parts, parameters, and each measure with interval, chance and what it has over the least."""
        return headline(self)

    def plot_parameters(self) -> Figure:
        """Each measure against the number of trained parameters, with 95 % intervals; grey tick: chance.

        The line and band are the blind system; a hollow point has an encoder that learnt nothing.
        """
        from ._tuning.figures import parameters

        return parameters(self)


@analysis("tuning", title="What does training more than a linear map buy?")
def tuning(
    captions: Annotated[list[Captions], On("captions")],
    references: Annotated[Manifest, On("captions")],
    transfers: Annotated[list[Transfer], On("captions")],
    animals: Annotated[ConceptSet | None, On("captions")] = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Tuning:
    """Set how well captions fit against how many parameters were trained for them.

    LiMBeR trains a linear map between two frozen models; MAGMA trains adapters in the language model and the encoder
    too. Measured are the share of pictures named right, where the class of each is known (as `awa-errors` does), and
    CIDEr-D (as `caption-scores` does), with the same intervals and chance levels; and the difference of every two
    systems over the same pictures, with interval, p and q over all differences.

    Args:
        captions: of each system and seed, over the same pictures.
        references: of the same pictures.
        transfers: the fits that made the captions.
        animals: which name is right for each picture, where that is known.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no picture has a reference or a known class.
        MismatchError: the captions are about different pictures, or their fits were not given.
    """
    if not captions:
        raise EmptyDataError("There are no captions to score. Name an encoder: concepttransfer tuning --encoder NAME")
    named = [] if animals is None else [awa_errors(captions, animals, n_resamples=n_resamples, seed=seed)]
    scored = [*named, caption_scores(captions, references, n_resamples=n_resamples, seed=seed)]
    main = [one.paired[0].measure for one in scored]
    levels = [row for one, measure in zip(scored, main, strict=True) for row in _levels(one, measure)]
    between = corrected([claim for one in scored for claim in _differences(one, n_resamples, seed)])
    shared = {"study": captions[0].study, "on": captions[0].on}
    rows = [*levels, *(shared | vars(c) | vars(c.estimate) for c in between)]
    return Tuning(
        table=table(fits_of(captions, transfers)),
        estimates=pd.DataFrame(rows).reindex(columns=list(ESTIMATES)),
        provenance=shared | {"measures": main, "options": {"n_resamples": n_resamples, "seed": seed}},
    )


def _levels(result: Result, measure: str) -> list[dict[str, Any]]:
    """How high each system is, as the other analysis found it."""
    levels = result.levels()
    mine = levels[levels["measure"] == measure]
    return [{str(key): value for key, value in row.items()} | {"group": ALL} for row in mine.to_dict("records")]


def _differences(result: Result, n_resamples: int, seed: int) -> Sequence[Claim]:
    """Every two systems in the first measure, over the same pictures, without q."""
    systems = systems_of([result], [result.study])
    if len(systems) < 2:
        return ()
    rows = align(systems, result.paired[0])
    by_chance, _ = chances(systems, result.paired[0].measure)
    return compare_rows(rows, by_chance, ALL, n_resamples=n_resamples, seed=seed).claims
