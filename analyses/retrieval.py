"""Does a picture find its captions among those of all pictures, and a caption its picture? Recall at 1, 5 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.features.captioned import Captioned
from concepttransfer.manifest import Manifest
from concepttransfer.progress import progress
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._retrieval import claims
from ._retrieval.claims import Searched
from ._retrieval.search import AT, captions_of_pictures, pictures_of_captions
from ._retrieval.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

N_EXAMPLES = 8
N_POINTS = 60
"""Of the curves of recall."""
FINDS = {k: f"finds_at_{k}" for k in AT}
FOUND = {k: f"found_at_{k}" for k in AT}


@dataclass(frozen=True, kw_only=True, eq=False)
class Retrieval(Result):
    """A row a picture and encoder: how far its captions are, and how far it is for them.

    `rank` is the place of the first caption of its own among all captions, `finds_at_k` whether it is among the first
    k; `found_at_k` is how many of its `captions` find it among the first k pictures, `found_rank` the median place at
    which they do. `nearest` is the caption that lies nearest, `is_own` whether it is one of its own. `arrays`: `recall`
    and `chance` [encoders, 2, points] at `looked_at` [points] results; `examples`: places of rows.
    """

    kind: ClassVar[str] = "retrieval"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "captions": "int64",
        "rank": "int64",
        **dict.fromkeys(FINDS.values(), "float64"),
        "found_rank": "float64",
        **dict.fromkeys(FOUND.values(), "float64"),
        "nearest": "string",
        "is_own": "bool",
    }
    figures: ClassVar[tuple[str, ...]] = ("recall", "ranks", "examples")
    main_group: ClassVar[str | None] = claims.GROUP

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Recall both ways; a picture is drawn with all its captions."""
        finds = [Paired(claims.recall(claims.CAPTIONS, k), FINDS[k]) for k in AT]
        found = [Paired(claims.recall(claims.PICTURES, k), FOUND[k], over=("captions",)) for k in AT]
        return (*finds, *found)

    def summary(self) -> str:
        """Recall at 1, 5 and 10 of each encoder both ways, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Whose pictures find their captions most often, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder and direction: recall beside chance, and the median rank."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        rows = list(dict.fromkeys(self.table["row_id"]))
        return [rows[i] for i in self.arrays["examples"]]

    def plot_recall(self) -> Figure:
        """Recall among the first 1, 5 and 10 both ways, with 95 % intervals for other pictures; tick: chance."""
        from ._retrieval.figures import recall

        return recall(self)

    def plot_ranks(self) -> Figure:
        """Share of pictures and of captions that find a right one among so many results; grey: chance."""
        from ._retrieval.figures import ranks

        return ranks(self)

    def plot_examples(self) -> Figure:
        """Pictures drawn at random, half of them with a caption of their own nearest, and the nearest captions."""
        from ._retrieval.figures import examples

        return examples(self)


@analysis("retrieval", title="Does a picture find its caption among those of all pictures, and a caption its picture?")
def retrieval(
    towers: Annotated[list[Captioned], On("captions")],
    manifest: Annotated[Manifest, On("captions")],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Retrieval:
    """Search captions by picture and pictures by caption, by the cosine in a CLIP's space of both.

    The standard protocol: a picture has found when any of its captions is among the first k of all captions; every
    caption searches all pictures by itself. Equal scores come in an order drawn once. Chance gives the captions of each
    picture to another one, all together: it is exact, and falls with the size of the gallery. Intervals draw pictures
    as queries, each with all its captions; the gallery stays as it is. Encoders without a text tower are left out, and
    it is said.

    Args:
        towers: of each encoder, its pictures and their captions.
        manifest: the captions as texts.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there is no encoder, or no picture with a caption.
        BadInputError: there is one picture only, or a feature is no number.
        MismatchError: the encoders have other pictures or captions.
    """
    searched = _search(towers, np.random.default_rng([seed, 3]))
    found = claims.claims(searched, n_resamples=n_resamples, seed=seed)
    first, pairs = towers[0], searched[0].pairs
    shared = {"study": first.study, "on": first.on}
    texts = _texts(manifest, pairs.row_ids)
    return Retrieval(
        table=pd.concat([_table(one, first.on, texts) for one in searched], ignore_index=True),
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in found]).reindex(columns=list(ESTIMATES)),
        arrays=_arrays(searched, seed),
        provenance={
            **shared,
            "options": {"n_resamples": n_resamples, "seed": seed},
            "pictures": len(pairs.row_ids),
            "captions": len(pairs.of),
            "texts_cut": sum(one.n_cut for one in towers),
            "left_out": dict(first.left_out or {}),
        },
    )


def _search(towers: Sequence[Captioned], rng: np.random.Generator) -> list[Searched]:
    if not towers:
        raise EmptyDataError("There is nothing to search. Name an encoder: concepttransfer retrieval --encoder NAME")
    aligned = [one.aligned() for one in towers]
    first = aligned[0]
    for one, pairs in zip(towers, aligned, strict=True):
        if pairs.row_ids != first.row_ids or not np.array_equal(pairs.of, first.of):
            raise MismatchError(
                f"{one.encoder} ({len(pairs.row_ids)} pictures, {len(pairs.of)} captions) and {towers[0].encoder} "
                f"({len(first.row_ids)}, {len(first.of)}) search other things. Encode the same data for both."
            )
    if len(first.row_ids) < 2:
        raise BadInputError(f"`{towers[0].on}` has one picture with captions: it finds itself. Give two or more.")
    with progress(sum(len(one.of) + len(one.row_ids) for one in aligned), "search", unit="query") as bar:
        return [
            Searched(one.encoder, pairs, captions_of_pictures(pairs, rng, bar), pictures_of_captions(pairs, rng, bar))
            for one, pairs in zip(towers, aligned, strict=True)
        ]


def _texts(manifest: Manifest, row_ids: Sequence[str]) -> list[str]:
    """All captions, in the order of the pictures.

    Raises:
        MismatchError: a picture is not in the manifest.
    """
    known = dict(zip(manifest.ids, manifest.texts, strict=True))
    if strange := [row for row in row_ids if row not in known]:
        raise MismatchError(f"Picture `{strange[0]}` is not in `{manifest.name}`: give the manifest that was encoded.")
    return [text for row in row_ids for text in known[row]]


def _table(one: Searched, on: str, texts: Sequence[str]) -> pd.DataFrame:
    pairs, pictures, captions = one.pairs, one.by_picture, one.by_caption
    ranks = pd.Series(captions.ranks).groupby(pairs.of).median()
    return pd.DataFrame(
        {
            "row_id": pairs.row_ids,
            "encoder": one.encoder,
            "seed": 0,
            "on": on,
            "captions": np.bincount(pairs.of),
            "rank": pictures.ranks,
            **{FINDS[k]: pictures.hits(k) for k in AT},
            "found_rank": ranks.to_numpy(),
            **{FOUND[k]: one.summed(claims.PICTURES, captions.hits(k))[0] for k in AT},
            "nearest": [texts[place] for place in pictures.nearest],
            "is_own": _is_own(one),
        }
    )


def _arrays(searched: Sequence[Searched], seed: int) -> dict[str, NDArray[Any]]:
    first = searched[0]
    most = len(first.by_picture.places)
    at = np.unique(np.geomspace(1, most, N_POINTS).round().astype(np.int64))
    searches = [list(one.searches.values()) for one in searched]
    chance = [[one.chance[np.minimum(at, len(one.chance)) - 1] for one in both] for both in searches]
    own = _is_own(first)
    order = np.random.default_rng([seed, 2]).permutation(len(own))
    drawn = [order[own[order] == right][: N_EXAMPLES // 2] for right in (True, False)]
    return {
        "looked_at": at,
        "recall": np.array([[[one.hits(k).mean() for k in at] for one in both] for both in searches]),
        "chance": np.array(chance),
        "examples": np.concatenate(drawn).astype(np.int64),
    }


def _is_own(one: Searched) -> NDArray[np.bool_]:
    """[n] whether the nearest caption is one of the picture's own."""
    nearest = one.pairs.of[one.by_picture.nearest]
    return np.asarray(nearest == np.arange(len(nearest)))
