"""When the thing in a picture is named wrongly, how near is the wrong name? Merullo et al. 2022, section 5.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet, Match
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired
from concepttransfer.statistics.claims import Claim

from ._awa_errors import estimates as est
from ._awa_errors.arrays import figure_arrays
from ._awa_errors.chance import Naming, WrongNames
from ._awa_errors.confusions import Codes
from ._awa_errors.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from concepttransfer.statistics import Floats

PUBLISHED = {
    "clip": {est.RIGHT: 0.59, est.WUP: 0.80, est.OVERLAP: 0.59},
    "nfrn50": {est.RIGHT: 0.43, est.WUP: 0.81, est.OVERLAP: 0.68},
    "beit": {est.RIGHT: 0.13, est.WUP: 0.80, est.OVERLAP: 0.62},
    "nfrn50-random": {est.RIGHT: 0.004},
}
"""LiMBeR on AwA2 as a review of the paper quotes it; not checked against the paper itself. Which overlap is meant is
not stated: the values fit the share of the true animal's attributes."""
PUBLISHED_STUDY = "limber"
CLASSES = est.GROUPS["classes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AwaErrors(Result):
    """A row a picture, encoder and seed: what was said, what was named, and how near that is.

    `class` is the right name; `named` the one that the caption says (missing: none); `wup`, `overlap` (shared
    attributes over the true class's) and `jaccard` (over those of either) are about wrong names only. `estimates` has
    each claim twice: for `classes like these` and for `these classes`; `against` is empty for a level, `chance` for its
    surplus over chance, or another encoder; measures that end in `above chance` compare the surplus of two.
    """

    kind: ClassVar[str] = "awa-errors"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "class": "string",
        "caption": "string",
        "named": "string",
        "right": "bool",
        "wup": "float64",
        "overlap": "float64",
        "jaccard": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("shares", "similarity", "confusions", "examples")
    main_group: ClassVar[str | None] = CLASSES
    alike: ClassVar[tuple[str, ...]] = ("concepts", "match")

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Named right over all pictures, nearness over those that both name wrongly; classes are drawn."""
        nearness = {est.WUP: "wup", est.OVERLAP: "overlap"}
        return (
            Paired(est.RIGHT, "right", cluster="class"),
            *(Paired(name, column, cluster="class", both=est.BOTH) for name, column in nearness.items()),
        )

    def published(self, system: str, measure: str) -> float:
        """What the paper found for an encoder, NaN where nothing is known or the study is another."""
        e = self.estimates
        rows = e[(e["study"] == f"{self.study}, published") & (e["system"] == system) & (e["measure"] == measure)]
        return float(rows["value"].iloc[0]) if len(rows) else np.nan

    def summary(self) -> str:
        """Share named right and nearness of wrong names of each encoder, each with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: pictures, % named right, and nearness of the wrong names, each beside chance."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        rows = list(dict.fromkeys(self.table["row_id"]))
        return [rows[i] for i in self.arrays["examples"]]

    def plot_shares(self) -> Figure:
        """Pictures named right, and chance; 95 % intervals for classes like these (thin), these classes (thick)."""
        from ._awa_errors.figures import shares

        return shares(self)

    def plot_similarity(self) -> Figure:
        """How near wrong names are to the truth; filled: the errors; outlined: the same names given to other errors."""
        from ._awa_errors.figures import similarity

        return similarity(self)

    def plot_confusions(self) -> Figure:
        """What is taken for what: a row is a true class, a column a name said; like classes stand together."""
        from ._awa_errors.maps import confusions

        return confusions(self)

    def plot_examples(self) -> Figure:
        """Pictures drawn at random, half of them named right by the first encoder, and what was said of them."""
        from ._awa_errors.maps import examples

        return examples(self)


@analysis("awa-errors", title="When the animal is named wrongly, how near is the wrong animal?")
def awa_errors(
    captions: Annotated[list[Captions], On("animals")],
    animals: Annotated[ConceptSet, On("animals")],
    *,
    match: Match = "first",
    n_resamples: int = 2000,
    seed: int = 0,
) -> AwaErrors:
    """Score captions of single-animal pictures against the animal's WordNet synset and attributes.

    A caption names an animal when it says one of its words. Of each wrongly named picture the Wu-Palmer similarity of
    the two synsets, and the share of the true animal's attributes that the wrong one has. Chance for these gives the
    wrong names to other wrongly named pictures. Intervals resample classes, then pictures in them, and seeds. Any set
    of concepts with synsets will do; without attributes their overlap is left out.

    Args:
        captions: of each encoder and seed, over the same pictures.
        animals: which name is right for each picture; pictures without one are left out.
        match: which counts when a caption names several animals: the `first`, the `most-specific`, or `any` of them.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no caption is about a picture whose animal is known.
        MismatchError: the captions are about different pictures.
    """
    rows = _rows(captions, animals)
    truth = _codes([animals.truth[row] for row in rows], animals.names)
    similarities = _similarities(animals)
    scored = [_Scored(one, rows, animals, match) for one in captions]
    namings = [_naming(encoder, scored, truth) for encoder in dict.fromkeys(c.encoder for c in captions)]
    errors = [WrongNames(naming, naming.wrong, seed=seed) for naming in namings]
    claims = est.claims(namings, errors, similarities, n_resamples=n_resamples, seed=seed)
    study, on = captions[0].study, captions[0].on
    arrays, classes = figure_arrays(namings, errors, similarities, animals.names, seed)
    return AwaErrors(
        table=pd.concat([one.table(truth, similarities) for one in scored], ignore_index=True),
        estimates=_estimates(claims, study, on, truth, similarities, [n.system for n in namings]),
        arrays=arrays,
        provenance={
            "study": study,
            "on": on,
            "classes": classes,
            "options": {"match": match, "n_resamples": n_resamples, "seed": seed},
            "match": match,
            "pictures_not_scored": len(captions[0].row_ids) - len(rows),
            "concepts": animals.id,
        },
    )


class _Scored:
    """One encoder's captions with one seed, in the order of the rows, and what they name."""

    def __init__(self, captions: Captions, rows: Sequence[str], animals: ConceptSet, match: Match) -> None:
        texts = captions.texts()
        self.captions, self.rows, self.names = captions, rows, animals.names
        self.texts = [texts[row] for row in rows]
        found = {text: animals.find(text, match) for text in dict.fromkeys(self.texts)}
        said = [found[text] for text in self.texts]
        self.named = _codes([_counts(s, animals.truth[row]) for s, row in zip(said, rows, strict=True)], self.names)
        self.mentions = (
            np.repeat(np.arange(len(rows)), [len(s) for s in said]).astype(np.int64),
            _codes([name for s in said for name in s], self.names),
        )

    def table(self, truth: np.ndarray[Any, Any], similarities: Mapping[str, Floats]) -> pd.DataFrame:
        wrong = (self.named >= 0) & (self.named != truth)
        near = {m: np.where(wrong, s[truth, self.named], np.nan) for m, s in similarities.items()}
        none = np.full(len(truth), np.nan)
        return pd.DataFrame(
            {
                "row_id": self.rows,
                "encoder": self.captions.encoder,
                "seed": self.captions.seed,
                "on": self.captions.on,
                "class": [self.names[code] for code in truth],
                "caption": self.texts,
                "named": [self.names[code] if code >= 0 else None for code in self.named],
                "right": self.named == truth,
                "wup": near[est.WUP],
                "overlap": near.get(est.OVERLAP, none),
                "jaccard": near.get(est.JACCARD, none),
            }
        )


def _counts(said: Sequence[str], truth: str) -> str | None:
    """Of the names that the match rule lets through the one that counts: the right one, else the first."""
    return truth if truth in said else next(iter(said), None)


def _codes(names: Sequence[str | None], known: Sequence[str]) -> Codes:
    at = {name: code for code, name in enumerate(known)}
    return np.array([-1 if name is None else at[name] for name in names], dtype=np.int64)


def _rows(captions: Sequence[Captions], animals: ConceptSet) -> list[str]:
    """The rows that all captions are about and whose truth is known, in order."""
    if not captions:
        raise EmptyDataError(
            "There are no captions to score. Name an encoder: concepttransfer awa-errors --encoder NAME"
        )
    first = captions[0]
    for one in captions[1:]:
        if set(one.row_ids) != set(first.row_ids):
            raise MismatchError(
                f"The captions of {one.encoder} (seed {one.seed}, {len(one.row_ids)} pictures) and of {first.encoder} "
                f"(seed {first.seed}, {len(first.row_ids)}) are of different pictures. Caption the same data for both."
            )
    rows = [row for row in first.row_ids if row in animals.truth]
    if not rows:
        raise EmptyDataError(
            f"None of the {len(first.row_ids)} captions is about a picture whose class is in `{animals.name}`. "
            "Name data with classes that it knows: --on FOLDER"
        )
    return rows


def _similarities(animals: ConceptSet) -> dict[str, Floats]:
    found: dict[str, Floats] = {est.WUP: animals.wup_matrix}
    if animals.attributes is not None:
        found[est.OVERLAP], found[est.JACCARD] = animals.overlap_matrices
    return found


def _naming(encoder: str, scored: Sequence[_Scored], truth: Codes) -> Naming:
    mine = sorted((s for s in scored if s.captions.encoder == encoder), key=lambda s: s.captions.seed)
    named = np.stack([s.named for s in mine])
    return Naming(encoder, truth, named, tuple(s.mentions for s in mine), len(mine[0].names))


def _estimates(
    claims: Sequence[Claim],
    study: str,
    on: str,
    truth: Codes,
    similarities: Mapping[str, Floats],
    systems: Sequence[str],
) -> pd.DataFrame:
    shared = {"study": study, "on": on}
    rows = [shared | vars(claim) | vars(claim.estimate) for claim in claims]
    rows += [shared | row for row in _references(truth, similarities)]
    if study == PUBLISHED_STUDY:
        rows += [
            {"study": f"{study}, published", "on": "awa2", "system": system, "measure": measure, "value": value}
            | {"method": "Merullo et al. 2022, as a review quotes it; not checked against the paper"}
            for system in systems
            for measure, value in PUBLISHED.get(system, {}).items()
        ]
    return pd.DataFrame(rows).reindex(columns=list(ESTIMATES))


def _references(truth: Codes, similarities: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """What one would score without a look at the picture: any name, or always that of the commonest class."""
    n = len(next(iter(similarities.values())))
    values = {(est.UNIFORM, est.RIGHT): 1 / n, (est.COMMONEST, est.RIGHT): np.bincount(truth).max() / len(truth)}
    off_diagonal = ~np.eye(n, dtype=bool)
    if n > 1:
        values |= {(est.UNIFORM, measure): float(s[off_diagonal].mean()) for measure, s in similarities.items()}
    how = {est.UNIFORM: "each name, or each wrong name, equally often", est.COMMONEST: "always the same name"}
    return [
        {"system": system, "measure": measure, "value": value, "method": how[system]}
        for (system, measure), value in values.items()
    ]
