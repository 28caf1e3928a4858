"""Does a picture lie nearest to the name of its own class, written into a sentence? CLIP's zero-shot classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.class_texts import ClassTexts
from concepttransfer.progress import progress
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._awa_errors import estimates as est
from ._zero_shot import claims
from ._zero_shot.arrays import BY_CLASS, figure_arrays
from ._zero_shot.calibration import calibration
from ._zero_shot.named import Named, named, rows_of
from ._zero_shot.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = est.GROUPS["classes"]
PLACES = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroShot(Result):
    """A row a picture and encoder: its class, the five nearest class names, and how sure the encoder is.

    `probability` is that of the right class, `confidence` that of the nearest; both are softmaxes of cosines times the
    model's own scale. `estimates` has each claim twice, for `classes like these` and for `these classes`; `against` is
    empty for a level, `chance`, `templates one by one` for what the ensemble adds, or another encoder. `arrays`: see
    `_zero_shot/arrays.py`.
    """

    kind: ClassVar[str] = "zero-shot"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "class": "string",
        **dict.fromkeys(PLACES, "string"),
        "right": "bool",
        "among_five": "bool",
        "probability": "float64",
        "confidence": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("accuracy", "calibration", "classes", "examples")
    main_group: ClassVar[str | None] = CLASSES
    alike: ClassVar[tuple[str, ...]] = ("concepts",)

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Both accuracies over pictures; classes are drawn."""
        found = (Paired(claims.TOP1, "right", cluster="class"), Paired(claims.TOP5, "among_five", cluster="class"))
        return found if claims.TOP5 in set(self.estimates["measure"]) else found[:1]

    def classes(self) -> pd.DataFrame:
        """A row an encoder and class with pictures: how many, share named right, its interval, chance, worst error."""
        names = self.provenance["classes"]
        table = self.arrays["by_class"]
        index = pd.MultiIndex.from_product([self.encoders, names], names=["encoder", "class"])
        found = pd.DataFrame(table.reshape(-1, len(BY_CLASS)), index, list(BY_CLASS)).reset_index()
        found["wrong"] = [names[int(code)] if code >= 0 else "" for code in found["wrong"]]
        return found[found["n"] > 0].astype({"n": "int64"}).reset_index(drop=True)

    def by_template(self) -> pd.DataFrame:
        """A row an encoder and template: top-1 of that template alone; none where there is one template."""
        rows = [
            {"encoder": encoder, "template": sentence, "top-1": value}
            for encoder, values in zip(self.encoders, self.arrays["by_template"], strict=True)
            for sentence, value in zip(self.provenance["sentences"][encoder], values, strict=False)
        ]
        return pd.DataFrame(rows, columns=["encoder", "template", "top-1"])

    def exports(self) -> dict[str, pd.DataFrame]:
        """The tables of classes and of templates."""
        return {"classes": self.classes(), "templates": self.by_template()}

    def summary(self) -> str:
        """Top-1, top-5, mean per class and calibration error of each encoder, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Whose texts name most and fewest pictures, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: templates, pictures, accuracies beside chance, calibration error."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        rows = list(dict.fromkeys(self.table["row_id"]))
        return [rows[i] for i in self.arrays["examples"]]

    def plot_accuracy(self) -> Figure:
        """Pictures whose nearest class name is right; 95 % intervals for classes like these (thin), these (thick)."""
        from ._zero_shot.figures import accuracy

        return accuracy(self)

    def plot_calibration(self) -> Figure:
        """Share right against the probability given, with 95 % intervals; grey: share of pictures in each bin."""
        from ._zero_shot.figures import calibration

        return calibration(self)

    def plot_classes(self) -> Figure:
        """Each class's share named right with 95 % intervals for these pictures; grey: what it is taken for most."""
        from ._zero_shot.figures import classes

        return classes(self)

    def plot_examples(self) -> Figure:
        """Pictures named right, drawn at random, and the first encoder's surest mistakes, with probabilities."""
        from ._zero_shot.maps import examples

        return examples(self)


@analysis("zero-shot", title="Which class name, written into a sentence, lies nearest to a picture?")
def zero_shot(
    classes: Annotated[list[ClassTexts], On("animals")],
    animals: Annotated[ConceptSet, On("animals")],
    *,
    templates: str = "",
    n_resamples: int = 2000,
    seed: int = 0,
) -> ZeroShot:
    """Classify pictures by the nearest class name in a CLIP's space of pictures and texts.

    Every class name is written into every template and read by the text tower; the texts of a class, each of length 1,
    are averaged and brought to length 1 (Radford et al. 2021). Named is the class whose text lies nearest; its
    probability is a softmax of cosines times the model's own scale. Encoders without a text tower are left out, and it
    is said. Intervals resample classes, then pictures in them.

    Args:
        classes: of each encoder, its pictures and the texts of all classes.
        animals: the classes, and which one is right for each picture.
        templates: sentences that names are written into: `imagenet-80`, `imagenet-7`, `photo`, `name`, `microworld`, or
            a text file with one a line, `{}` in the name's place; by default those that fit the model.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: no picture has a known class.
        BadInputError: there is one class only, or a feature is no number.
        MismatchError: the encoders have other pictures or classes.
    """
    rows = rows_of(classes, animals)
    n_templates = [len(one.templates) for one in classes]
    with progress(sum(n for n in n_templates if n > 1), "zero-shot", unit="template") as bar:
        all_named = [named(one, animals, rows, bar) for one in classes]
    rng = np.random.default_rng([seed, 3])
    calibrated = [calibration(one.confidence, one.right, one.truth, rng, n_resamples) for one in all_named]
    found = claims.claims(all_named, calibrated, n_resamples=n_resamples, seed=seed)
    first = classes[0]
    shared = {"study": first.study, "on": first.on}
    return ZeroShot(
        table=pd.concat([_table(one, first.on, animals.names) for one in all_named], ignore_index=True),
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in found]).reindex(columns=list(ESTIMATES)),
        arrays=figure_arrays(all_named, calibrated, seed),
        provenance={
            **shared,
            "options": {"templates": templates, "n_resamples": n_resamples, "seed": seed},
            "classes": list(animals.names),
            "concepts": animals.id,
            "pictures_not_named": len(first.pictures) - len(rows),
            **_about(classes),
        },
    )


def _about(classes: Sequence[ClassTexts]) -> dict[str, object]:
    """How each encoder's texts were made, and which encoders have none."""
    return {
        "templates": {one.encoder: one.list_name for one in classes},
        "n_templates": {one.encoder: len(one.templates) for one in classes},
        "sentences": {one.encoder: list(one.templates) for one in classes},
        "scales": {one.encoder: one.scale for one in classes},
        "texts_cut": sum(one.n_cut for one in classes),
        "left_out": dict(classes[0].left_out or {}),
    }


def _table(one: Named, on: str, names: Sequence[str]) -> pd.DataFrame:
    nearest: Mapping[str, list[str | None]] = {
        place: [names[code] for code in one.first[:, number]]
        if number < one.first.shape[1]
        else [None] * len(one.truth)
        for number, place in enumerate(PLACES)
    }
    return pd.DataFrame(
        {
            "row_id": one.row_ids,
            "encoder": one.encoder,
            "seed": 0,
            "on": on,
            "class": [names[code] for code in one.truth],
            **nearest,
            "right": one.right,
            "among_five": one.among,
            "probability": one.probability,
            "confidence": one.confidence,
        }
    )
