"""How alike do encoders arrange the same pictures, and encoders and the language model the same classes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.concepts.class_names import ClassNames
from concepttransfer.errors import BadInputError, EmptyDataError
from concepttransfer.features import Features
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.stitching import StitchingLosses

from ._similarity import claims as c
from ._similarity.measures import FEWEST, neighbours_of, refuse_features
from ._similarity.rows import chosen, class_means, pooled
from ._similarity.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from concepttransfer.statistics import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Similarity(Result):
    """A row a pair and measure: how alike the two are, and what unrelated rows would give.

    `rows` says what was arranged, `pictures` or `classes`; `null_low` and `null_high` hold 95 % of the values under
    permutation. In `estimates`, `against` is the other encoder or `language model`; of measures that end in `with the
    language model` it is the random control whose likeness is taken off. `n` is rows: pictures, classes, or held-out
    captions of the fits.
    """

    kind: ClassVar[str] = "similarity"
    columns: ClassVar[dict[str, str]] = {
        "rows": "string",
        "system": "string",
        "against": "string",
        "measure": "string",
        "value": "float64",
        "chance": "float64",
        "null_low": "float64",
        "null_high": "float64",
        "n": "int64",
    }
    figures: ClassVar[tuple[str, ...]] = ("pictures", "language-model")
    unpaired: ClassVar[str] = "has a row a pair of encoders, and none a picture"

    def levels(self) -> pd.DataFrame:
        """How alike each encoder and the language model's word vectors are, by each measure."""
        e = self.estimates
        mine = e[(e["against"] == c.LANGUAGE_MODEL).fillna(False) & e["system"].isin(self.encoders)]
        return mine.assign(measure=mine["measure"] + c.WITH, against=None)

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders compared, in the order given."""
        return tuple(self.provenance["compared"])

    def between(self, system: str, measure: str, other: str) -> pd.Series[Any]:
        """One row of `estimates` about two encoders in either order, or an encoder and the language model."""
        found = self.claim(system, measure, against=other)
        return found if pd.notna(found["measure"]) else self.claim(other, measure, against=system)

    def summary(self) -> str:
        """The most and least alike encoders, and how alike each is to the language model, with interval and chance."""
        return sentence(self)

    def answer(self) -> str:
        """The most and least alike encoders, and which one is nearest to the language model."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: the nearest other one, likeness to the language model by each measure, stitching loss."""
        return headline(self)

    def plot_pictures(self) -> Figure:
        """How alike encoders arrange the same pictures: values and chance; of several layers, debiased CKA by layer."""
        from ._similarity.by_layer import has_layers, layers
        from ._similarity.figures import pictures

        return layers(self) if has_layers(self.encoders) else pictures(self)

    def plot_language_model(self) -> Figure:
        """How alike encoders and word vectors arrange the classes; line: 95 % interval; grey: 95 % of permutations."""
        from ._similarity.figures import language_model

        return language_model(self)


@analysis("similarity", title="How alike do encoders, and the language model, arrange the same things?")
def similarity(
    features: Annotated[list[Features], On("animals")],
    names: Annotated[ClassNames | None, On("animals")],
    fits: Annotated[StitchingLosses | None, On("animals")],
    *,
    rows: int = 2000,
    neighbours: int = 10,
    n_permutations: int = 1000,
    seed: int = 0,
) -> Similarity:
    """Compare encoders on the same pictures, and each with the language model's word vectors of the class names.

    Four measures: debiased CKA, RSA (Spearman's correlation of cosine distances), mutual k-nearest neighbours, and
    Procrustes similarity. Features are means over tokens; for the language model the rows are the classes: mean feature
    against the mean word vector of the name's tokens. Beside them the stitching loss: the last validation loss of each
    fit there is. Chance is by permutation of rows; no row is ever taken twice.

    Args:
        features: of each encoder, over the same pictures.
        names: word vectors of the classes' names; None: only encoders are compared.
        fits: validation losses; None: there are no fits.
        rows: at most so many pictures, drawn without replacement; memory and time grow with their square.
        neighbours: nearest neighbours looked at, but at most half of the other rows.
        n_permutations: the least number of permutations of the rows.
        seed: of all draws.

    Raises:
        EmptyDataError: fewer than two things to compare.
        MismatchError: the features are of different pictures.
        BadInputError: features that are not finite or all the same; options out of range.
        ShapeError: fewer than 4 pictures.
    """
    if neighbours < 1 or n_permutations < 2:
        raise BadInputError(f"--neighbours {neighbours} --n-permutations {n_permutations}: 1 and 2 are the least.")
    every, ids = pooled(features)
    drawn = chosen(every, rows, seed)
    settings = c.Settings(neighbours, n_permutations, seed)
    compared = c.between_encoders(drawn, settings)
    named, why, n_classes = _with_names(every, ids, names, settings)
    stitched = c.stitching({name: found for name in every if fits and (found := fits.of(name))})
    if not compared and not named:
        raise EmptyDataError(f"There is one encoder, and nothing to compare it with: {why}. Name another encoder.")
    study, on = features[0].study, features[0].on
    n = len(next(iter(drawn.values())))
    return Similarity(
        table=_table([*compared, *named]),
        estimates=_estimates([*compared, *named, *stitched], study, on),
        provenance={
            "study": study,
            "on": on,
            "compared": list(every),
            "pictures": n,
            "pictures_not_drawn": len(ids) - n,
            "classes": n_classes,
            "neighbours": {"pictures": neighbours_of(n, neighbours), "classes": neighbours_of(n_classes, neighbours)},
            "no_language_model": why,
            "word_vectors": names.language_model_id if names else "",
            "options": {"rows": rows, "neighbours": neighbours, "n_permutations": n_permutations, "seed": seed},
        },
    )


def _with_names(
    features: Mapping[str, NDArray[np.float32]], ids: Sequence[str], names: ClassNames | None, settings: c.Settings
) -> tuple[list[c.Claim], str, int]:
    """Claims about the language model, why there are none, and the number of classes."""
    if names is None:
        return [], "no picture's class is known", 0
    means, vectors, there = class_means(features, ids, names)
    if len(there) < FEWEST:
        return [], f"{len(there)} classes have pictures, and {FEWEST} are needed", len(there)
    _refuse_means({**means, f"the word vectors of {names.language_model_id}": vectors})
    return c.with_language_model(means, vectors, settings), "", len(there)


def _refuse_means(means: Mapping[str, Floats]) -> None:
    for name, values in means.items():
        refuse_features(values, f"{name}, by class")


def _table(claims: Sequence[c.Claim]) -> pd.DataFrame:
    levels = [one for one in claims if np.isfinite(one.band).all()]
    made = [
        {
            "rows": "pictures" if one.group == c.PICTURES else "classes",
            "system": one.system,
            "against": one.against,
            "measure": one.measure,
            "value": one.estimate.value,
            "chance": one.estimate.chance,
            "null_low": one.band[0],
            "null_high": one.band[1],
            "n": one.estimate.n,
        }
        for one in levels
    ]
    return pd.DataFrame(made, columns=list(Similarity.columns))


def _estimates(claims: Sequence[c.Claim], study: str, on: str) -> pd.DataFrame:
    made = [{"study": study, "on": on} | vars(one) | vars(one.estimate) for one in claims]
    return pd.DataFrame(made).reindex(columns=list(ESTIMATES))
