"""How far apart do a CLIP's pictures and captions stand, and what brings captions to where pictures are?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.errors import BadInputError, EmptyDataError
from concepttransfer.features.pairs import Aligned, PairedTowers
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired
from concepttransfer.statistics.claims import ABOVE, Claim

from ._modality_gap import claims as c
from ._modality_gap.clouds import placed, plane
from ._modality_gap.cosines import FEWEST
from ._modality_gap.moves import NONE, moved, moves
from ._modality_gap.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPPED = (NONE, "mean shift", "linear", "covariance")
"""What captions went through before they are mapped."""
MOST_MAPPED = 500
"""Pictures on the map."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModalityGap(Result):
    """A row a picture and encoder, with captions as the text tower gives them.

    `matched` is the mean cosine of the picture with its captions, `others` what it adds to the mean cosine of pictures
    with the captions of others, `above` the one less the other, `nearest` whether it is the picture nearest to its
    first caption (a share where several are as near). In `estimates` the group is the adapter that captions went
    through, `none` first; `against` is empty for a level, `chance` for what is above chance, `none` for what an adapter
    adds, or the encoder's random control. `arrays` hold both clouds in the plane of most variance.
    """

    kind: ClassVar[str] = "modality-gap"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "on": "string",
        "captions": "int64",
        "matched": "float64",
        "others": "float64",
        "above": "float64",
        "nearest": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("cosines", "adapters", "map")
    main_group: ClassVar[str | None] = NONE

    @property
    def paired(self) -> tuple[Paired, ...]:
        """How near captions are to their pictures beyond other pictures, plainly, and as the nearest."""
        return (
            Paired(c.MATCHED + ABOVE, "above", low=-2.0, high=2.0),
            Paired(c.MATCHED, "matched", low=-1.0),
            Paired(c.NEAREST, "nearest"),
        )

    @property
    def adapters(self) -> tuple[str, ...]:
        """What captions went through, `none` first."""
        return tuple(self.provenance["adapters"])

    def summary(self) -> str:
        """Cosines, distance and nearest pictures of each encoder with interval, chance and n; what was left out."""
        return sentence(self)

    def answer(self) -> str:
        """How near captions are to their pictures, and which adapter brings them nearest."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder and adapter: cosines with their pictures and with others, what is kept, nearest pictures."""
        return headline(self)

    def plot_cosines(self) -> Figure:
        """Cosines, distance of the centroids and nearest pictures of each encoder, with 95 % intervals and chance."""
        from ._modality_gap.figures import levels

        return levels(self)

    def plot_adapters(self) -> Figure:
        """What each adapter makes of captions: nearness to their pictures, what is kept, and nearest pictures."""
        from ._modality_gap.figures import adapters

        return adapters(self)

    def plot_map(self) -> Figure:
        """Pictures and captions in the plane of most variance, as they are and after adapters."""
        from ._modality_gap.figures import clouds

        return clouds(self)


@analysis("modality-gap", title="How far apart do pictures and captions stand, and what brings them together?")
def modality_gap(
    towers: Annotated[list[PairedTowers], On("captions")],
    *,
    rows: int = 2000,
    magnitudes: str = "0.2,0.5,0.8,1,2",
    noise: float = 0.08,
    directions: int = 3,
    n_resamples: int = 2000,
    n_permutations: int = 1000,
    seed: int = 0,
) -> ModalityGap:
    """Compare a CLIP's pictures with their captions, with other captions, and with captions moved by adapters.

    Mean cosine of matched pairs, of pairs of different pictures (chance), of captions with each other and pictures with
    each other; distance of the centroids and the share of variance that it makes; how often a caption's nearest picture
    is its own. Then the same after each of CLOSE's feature adapters, fitted on other pictures with captions, or where
    the study has none, on the other four fifths of these.

    Args:
        towers: of each encoder, pictures and their captions.
        rows: at most so many pictures, drawn without replacement; memory and time grow with their square.
        magnitudes: lengths of random shifts, with commas between.
        noise: standard deviation of the noise that training would add to each entry; 0: none.
        directions: how many random directions the numbers of a random shift are the mean over.
        n_resamples: resamples of the pictures behind each interval.
        n_permutations: draws of who is given whose captions.
        seed: of all draws.

    Raises:
        EmptyDataError: no encoder, or fewer than 4 pictures with a caption.
        BadInputError: options out of range, or a feature that is no number.
    """
    if noise < 0 or directions < 1 or rows < FEWEST or n_resamples < 2 or n_permutations < 2:
        raise BadInputError(
            f"--noise {noise:g} --directions {directions} --rows {rows} --n-resamples {n_resamples} "
            f"--n-permutations {n_permutations}: the least are 0, 1, {FEWEST}, 2 and 2."
        )
    listed = moves(magnitudes, noise, directions)
    chosen, n_all = _chosen(towers, rows, seed)
    settings = c.Settings(listed, n_resamples, n_permutations, seed)
    aligned = {one.encoder: one.aligned(chosen) for one in towers}
    others = {one.encoder: one.elsewhere.aligned() if one.elsewhere else None for one in towers}
    seen = {name: (own, c.look(own, others[name], settings)) for name, own in aligned.items()}
    first = towers[0]
    return ModalityGap(
        table=_table({name: (own, looked[NONE]) for name, (own, looked) in seen.items()}, first.on),
        estimates=_estimates(c.claims(seen, settings), first.study, first.on),
        arrays=_clouds(aligned, others, settings),
        provenance={
            "study": first.study,
            "on": first.on,
            "adapters": [move.name for move in listed],
            "fitted_on": first.elsewhere.on if first.elsewhere else "",
            "pairs": len(first.elsewhere.texts) if first.elsewhere else 0,
            "pictures": len(chosen),
            "pictures_not_drawn": n_all - len(chosen),
            "captions": len(next(iter(aligned.values())).captions),
            "cut": {one.encoder: one.n_cut for one in towers},
            "left_out": dict(first.left_out or {}),
            "options": {
                "rows": rows,
                "magnitudes": magnitudes,
                "noise": noise,
                "directions": directions,
                "n_resamples": n_resamples,
                "n_permutations": n_permutations,
                "seed": seed,
            },
        },
    )


def _chosen(towers: Sequence[PairedTowers], at_most: int, seed: int) -> tuple[list[str], int]:
    """The pictures that all encoders could read and that have a caption, at most so many; how many there are."""
    if not towers:
        raise EmptyDataError("There is no encoder. Name one: concepttransfer modality-gap --encoder clip")
    everywhere = set.intersection(*(set(one.row_ids) for one in towers))
    there = [row for row in towers[0].row_ids if row in everywhere]
    if len(there) < FEWEST:
        raise EmptyDataError(
            f"`{towers[0].on}` has {len(there)} pictures with a caption, and {FEWEST} are needed. Name more with --on."
        )
    drawn = np.sort(np.random.default_rng([seed, len(there)]).permutation(len(there))[:at_most])
    return [there[number] for number in drawn], len(there)


def _table(seen: Mapping[str, tuple[Aligned, c.Seen]], on: str) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "row_id": own.row_ids,
                "encoder": name,
                "on": on,
                "captions": np.bincount(own.of),
                "matched": one.cosines.matched,
                "others": one.cosines.others,
                "above": one.cosines.matched - one.cosines.others,
                "nearest": one.cosines.nearest,
            }
        )
        for name, (own, one) in seen.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _estimates(claims: Sequence[Claim], study: str, on: str) -> pd.DataFrame:
    made = [{"study": study, "on": on} | vars(one) | vars(one.estimate) for one in claims]
    return pd.DataFrame(made).reindex(columns=list(ESTIMATES))


def _clouds(
    aligned: Mapping[str, Aligned], others: Mapping[str, Aligned | None], settings: c.Settings
) -> dict[str, np.ndarray[Any, Any]]:
    """Where pictures and first captions are in the plane of both, and where adapters bring the captions."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, own in aligned.items():
        mean, axes, shares = plane(np.concatenate([own.pictures, own.captions[own.first]]))
        found[f"shares|{name}"] = shares
        found[f"pictures|{name}"] = placed(own.pictures[:MOST_MAPPED], mean, axes)
        for move in settings.moves:
            if move.name in MAPPED:
                captions = next(moved(move, own, others[name], settings.seed))[own.first[:MOST_MAPPED]]
                found[f"captions|{name}|{move.name}"] = placed(captions, mean, axes)
    return found
