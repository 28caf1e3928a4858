"""What can be read from an encoder's features by a line? Probes of classes and attributes, beside a control task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.probing.splits import Splits
from concepttransfer.progress import progress
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._awa_errors import estimates as est
from ._linear_probe import attributes as attr
from ._linear_probe import claims
from ._linear_probe.classes import (
    SHOTS,
    Codes,
    Pictures,
    Predicted,
    pictures_of,
    probe_classes,
    probe_few,
    without_training,
)
from ._linear_probe.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = est.GROUPS["classes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearProbe(Result):
    """A row a test picture, encoder and seed: its class, what the probe says, how sure it is of the truth.

    `estimates` has each claim twice, for `classes like these` and for `these classes`; `against` is empty for a level,
    `chance`, the `control task`, or another encoder. A measure that ends in `control task` is of attributes that mean
    nothing; one that ends in `above chance` compares two, each less its chance. `arrays` holds each attribute's average
    precision: `ap`, `ap_control` and `ap_chance` [encoders, settings, attributes], means over seeds, NaN where an
    attribute could not be tested; `strengths` [encoders, seeds] of the class probe (NaN: no such seed).
    """

    kind: ClassVar[str] = "linear-probe"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "class": "string",
        "predicted": "string",
        "right": "bool",
        "probability": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("accuracy", "attributes", "shots")
    main_group: ClassVar[str | None] = CLASSES
    alike: ClassVar[tuple[str, ...]] = ("concepts", "split", "pictures")

    @property
    def paired(self) -> tuple[Paired, ...]:
        """Accuracy; what is said of attributes is no mean over pictures."""
        return (Paired(claims.ACCURACY, "right", cluster="class"),)

    @property
    def settings(self) -> tuple[str, ...]:
        """The ways in which attribute probes were tested; none where no attributes are known."""
        return tuple(self.provenance["settings"])

    def attributes(self) -> pd.DataFrame:
        """A row an encoder, setting and attribute: average precision, that of the control task, and chance."""
        index = pd.MultiIndex.from_product(
            [self.encoders, self.settings, self.provenance["attributes"]], names=["encoder", "setting", "attribute"]
        )
        columns = {"ap": "ap", "control": "ap_control", "chance": "ap_chance"}
        return pd.DataFrame({c: self.arrays[a].ravel() for c, a in columns.items()}, index=index).reset_index()

    def summary(self) -> str:
        """Accuracy of each encoder, and how well attributes are read on classes held out, with interval, chance, n."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: pictures, accuracy, average precision of attributes and its selectivity, beside chance."""
        return headline(self)

    def plot_accuracy(self) -> Figure:
        """Test pictures whose class a linear probe reads; 95 % intervals for classes like these, these classes."""
        from ._linear_probe.figures import accuracy

        return accuracy(self)

    def plot_attributes(self) -> Figure:
        """Average precision of each attribute (dot) against that of a control task; mean and 95 % interval (cross)."""
        from ._linear_probe.figures import attributes

        return attributes(self)

    def plot_shots(self) -> Figure:
        """Accuracy by the number of training pictures of a class, mean over draws, with 95 % intervals and chance."""
        from ._linear_probe.figures import shots

        return shots(self)


@analysis("linear-probe", title="What can a linear probe read from an encoder's features?")
def linear_probe(
    splits: Annotated[list[Splits], On("animals")],
    animals: Annotated[ConceptSet, On("animals")],
    *,
    n_draws: int = 3,
    n_resamples: int = 2000,
    seed: int = 0,
) -> LinearProbe:
    """Fit linear probes of class and attributes to an encoder's features, the mean of its tokens.

    The class probe follows CLIP's protocol: multinomial logistic regression, its strength swept over 96 steps on the
    validation pictures, refitted on training and validation pictures. Attribute probes are binary, tested on classes
    that they have not seen; tested on other pictures of the same classes they could read the class instead, which is
    shown beside it under that name. A control task gives each class a random attribute vector of the same marginals:
    selectivity is the difference. Intervals resample classes, then pictures in them.

    Args:
        splits: of each encoder, over the same pictures.
        animals: the concepts and their attributes; without attributes only classes are probed.
        n_draws: draws of the few training pictures of each point of a few-shot curve; 0: no curves.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws, of the folds of classes and of the control task.

    Raises:
        EmptyDataError: there is nothing to probe.
        BadInputError: fewer than two classes have training pictures, or a feature is no number.
        MismatchError: the encoders are tested on different pictures.
    """
    pictures = _pictures(splits, animals)
    flags, names = _attributes(animals)
    settings = attr.settings(np.unique(pictures[0].y_test), len(animals.names), _standard(animals), seed)
    settings = settings if len(names) else []
    with progress(len(pictures) * (1 + bool(n_draws) + len(settings)), "probe", unit="probe") as bar:
        runs = [_Run(one, flags, settings, n_draws, seed, bar) for one in pictures]
    encoders = tuple(dict.fromkeys(run.encoder for run in runs))
    probed = [_probed(encoder, runs, len(animals.names)) for encoder in encoders]
    found = claims.claims(probed, n_resamples=n_resamples, seed=seed)
    first = splits[0]
    shared = {"study": first.study, "on": first.on}
    rows = [shared | vars(claim) | vars(claim.estimate) for claim in found]
    return LinearProbe(
        table=pd.concat([run.table(animals.names) for run in runs], ignore_index=True),
        estimates=pd.DataFrame(rows).reindex(columns=list(ESTIMATES)),
        arrays=_arrays(encoders, runs, [s.name for s in settings]),
        provenance={
            **shared,
            "options": {"n_draws": n_draws, "n_resamples": n_resamples, "seed": seed},
            "split": first.how,
            "pictures": {p: len(first.known(getattr(first, p))) for p in ("train", "validation", "test")},
            "settings": [s.name for s in settings],
            "attributes": names,
            "classes_without_training": [animals.names[code] for code in without_training(pictures)],
            "pictures_not_probed": len(first.test) - len(pictures[0].y_test),
            "concepts": animals.id,
        },
    )


class _Run:
    """The probes of one encoder with one seed."""

    def __init__(
        self,
        pictures: Pictures,
        flags: attr.Flags,
        settings: Sequence[attr.Setting],
        n_draws: int,
        seed: int,
        bar: Any,
    ) -> None:
        self.splits, self.pictures = pictures.splits, pictures
        self.encoder = self.splits.encoder
        self.classes: Predicted = probe_classes(pictures)
        bar.update()
        self.few: dict[int, list[Codes]] = {}
        for shots in SHOTS if n_draws else ():
            draws = [np.random.default_rng([seed, 5, shots, draw]) for draw in range(n_draws)]
            self.few[shots] = [probe_few(pictures, shots, rng).codes for rng in draws]
        bar.update(bool(n_draws))
        self.attributes: dict[str, tuple[attr.Precisions, attr.Precisions]] = {}
        for setting in settings:
            control = attr.control_task(flags, setting.folds, np.random.default_rng([seed, 6]))
            both = (attr.probe_attributes(pictures, task, setting) for task in (flags, control))
            self.attributes[setting.name] = tuple(both)  # type: ignore[assignment]
            bar.update()

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        codes, truth = self.classes.codes, self.pictures.y_test
        return pd.DataFrame(
            {
                "row_id": self.pictures.row_ids,
                "encoder": self.encoder,
                "seed": self.splits.seed,
                "on": self.splits.on,
                "class": [names[code] for code in truth],
                "predicted": [names[code] for code in codes],
                "right": codes == truth,
                "probability": self.classes.probability,
            }
        )


def _probed(encoder: str, runs: Sequence[_Run], n_concepts: int) -> claims.Probed:
    mine = sorted((run for run in runs if run.encoder == encoder), key=lambda run: run.splits.seed)
    truth = mine[0].pictures.y_test

    def named(codes: Sequence[Codes]) -> Any:
        return claims.naming(encoder, truth, np.stack(codes), n_concepts)

    few = {shots: named([one for run in mine for one in run.few[shots]]) for shots in mine[0].few}
    return claims.Probed(encoder, named([run.classes.codes for run in mine]), few, [run.attributes for run in mine])


def _pictures(splits: Sequence[Splits], animals: ConceptSet) -> list[Pictures]:
    """The features of each encoder, tested on the same pictures in the same order."""
    if not splits:
        raise EmptyDataError("There is nothing to probe. Name an encoder: concepttransfer linear-probe --encoder NAME")
    found = [pictures_of(one, animals) for one in splits]
    first = found[0]
    for one in found:
        s = one.splits
        for part, y in (("train", one.y_train), ("test", one.y_test)):
            if len(y) == 0:
                raise EmptyDataError(
                    f"No {part} picture of `{s.on}` has a class that `{animals.name}` knows ({s.how}). "
                    "Name data with classes that it knows: --on FOLDER"
                )
        if len(np.unique(one.y_train)) < 2:
            raise BadInputError(
                f"All {len(one.y_train)} training pictures of `{s.on}` are of one class, "
                f"`{animals.names[one.y_train[0]]}`. A probe tells classes apart: give two or more."
            )
        if one.row_ids != first.row_ids:
            raise MismatchError(
                f"{s.encoder} ({len(one.row_ids)} pictures) and {first.splits.encoder} ({len(first.row_ids)}) are "
                "tested on different pictures. Encode the same data for both."
            )
    return found


def _attributes(animals: ConceptSet) -> tuple[attr.Flags, list[str]]:
    if animals.attributes is None:
        return np.zeros((len(animals.names), 0), dtype=bool), []
    return animals.attributes.to_numpy().astype(bool), [str(name) for name in animals.attributes.columns]


def _standard(animals: ConceptSet) -> attr.Flags | None:
    """Which concepts are AwA2's ten test classes; None where they are not AwA2's animals."""
    from concepttransfer.data.descriptions import read_table

    split = {row["class"]: row["split"] for row in read_table("awa2", "classes.csv")}
    if set(animals.names) - set(split):
        return None
    return np.array([split[name] == "test" for name in animals.names])


def _arrays(encoders: Sequence[str], runs: Sequence[_Run], settings: Sequence[str]) -> dict[str, Any]:
    by_encoder = [[run for run in runs if run.encoder == encoder] for encoder in encoders]
    most = max(len(mine) for mine in by_encoder)
    strengths = np.full((len(encoders), most), np.nan)
    for row, mine in zip(strengths, by_encoder, strict=True):
        row[: len(mine)] = [run.classes.sweep.strength for run in mine]

    def each(which: int, value: str) -> Any:
        return np.array(
            [
                [np.mean([getattr(run.attributes[name][which], value) for run in mine], axis=0) for name in settings]
                for mine in by_encoder
            ]
        )

    found = {"ap": each(0, "values"), "ap_control": each(1, "values"), "ap_chance": each(0, "chance")}
    return {"strengths": strengths} | (found if settings else {})
