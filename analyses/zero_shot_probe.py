"""Does a CLIP name pictures without training as well as a linear probe that was trained, and trained on how many?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.errors import BadInputError
from concepttransfer.probing.probed_sets import ProbedSets
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired

from ._awa_errors import estimates as est
from ._zero_shot_probe import claims
from ._zero_shot_probe.claims import Met
from ._zero_shot_probe.said import Said, say
from ._zero_shot_probe.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = est.GROUPS["classes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroShotProbe(Result):
    """A row a data set, picture and encoder: its class, what the nearest class text says, and what a probe says.

    `zero_shot` is empty for encoders that read no texts. In `estimates` a claim about zero-shot is `against` a `probe
    on` an encoder; the first data set (`on`) is the one asked about. `arrays`: `shots` [k] numbers of training pictures
    of a class, last all of them, and `curves` [encoders, 3, k] low end, accuracy and high end of probes on them;
    random controls have the last only.
    """

    kind: ClassVar[str] = "zero-shot-probe"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "on": "string",
        "class": "string",
        "zero_shot": "string",
        "zero_shot_right": "boolean",
        "probe": "string",
        "probe_right": "bool",
    }
    figures: ClassVar[tuple[str, ...]] = ("differences", "shots")
    main_group: ClassVar[str | None] = CLASSES
    alike: ClassVar[tuple[str, ...]] = ("data",)

    @property
    def data(self) -> tuple[str, ...]:
        """The data sets, the one asked about first."""
        return tuple(self.provenance["data"])

    @property
    def zero_shot(self) -> tuple[str, ...]:
        """The encoders that read texts."""
        return tuple(self.provenance["zero_shot"])

    @property
    def paired(self) -> tuple[Paired, ...]:
        """The probe's accuracy on the data asked about; classes are drawn."""
        return (Paired(claims.PROBE, "probe_right", cluster="class", where={"on": self.data[0]}),)

    def difference(self, encoder: str, probed: str, on: str) -> pd.Series[Any]:
        """The claim that sets zero-shot against a probe, on one data set; all NaN: none."""
        e = self.estimates
        about = e["system"].eq(encoder) & e["measure"].eq(claims.ZERO_SHOT) & e["group"].eq(CLASSES)
        found = e[about & e["against"].eq(claims.against(probed)) & e["on"].eq(on)]
        return found.iloc[0] if len(found) else pd.Series(np.nan, index=list(ESTIMATES))

    def crossing(self, encoder: str, probed: str) -> str:
        """With how many training pictures of a class a probe equals zero-shot, in words; empty: not measured."""
        return str(self.provenance["crossings"].get(f"{encoder}|{probed}", {}).get("words", ""))

    def is_inside(self, encoder: str, probed: str) -> bool:
        """Whether that number lies among those measured."""
        return bool(self.provenance["crossings"].get(f"{encoder}|{probed}", {}).get("side") == 0)

    def summary(self) -> str:
        """Zero-shot accuracy, its difference from probes, and where they are equal, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Zero-shot against a probe on the same features and the best one on others; over data sets."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a zero-shot encoder and probe: both accuracies, their difference, and where they are equal."""
        return headline(self)

    def plot_differences(self) -> Figure:
        """Zero-shot less linear probe on the same pictures of each data set, with 95 % intervals."""
        from ._zero_shot_probe.figures import differences

        return differences(self)

    def plot_shots(self) -> Figure:
        """Probes by number of training pictures; line and band: zero-shot; cross and bar: where they are equal."""
        from ._zero_shot_probe.figures import shots

        return shots(self)


@analysis("zero-shot-probe", title="How many labelled pictures does a linear probe need to equal zero-shot?")
def zero_shot_probe(
    sets: Annotated[list[ProbedSets], On("animals")],
    *,
    also: str = "",
    reads: Literal["projected", "own"] = "projected",
    templates: str = "",
    n_draws: int = 3,
    n_resamples: int = 2000,
    seed: int = 0,
) -> ZeroShotProbe:
    """Set a CLIP's zero-shot classifier against linear probes, on the same pictures of several data sets.

    Probes follow CLIP's protocol, as in linear-probe: on all training pictures, and on 1, 2, 4, ... of each class.
    Where the few-shot curve reaches zero-shot is interpolated on the logarithm of the number. Every encoder is probed;
    those that read texts are classifiers as well. Intervals resample classes, then pictures in them.

    Args:
        sets: of each encoder, what probes learn from and are tested on, and class texts.
        also: further data sets of the study, with commas; by default those of its role `shifted`.
        reads: what probes read of an encoder that reads texts: `projected`, what zero-shot reads, or its `own`
            features, as the study says.
        templates: sentences that class names are written into, as in zero-shot.
        n_draws: draws of the few training pictures of each point of a curve; 0: no curves.
        n_resamples: resamples of each interval and permutations of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there is nothing to learn from or to test on.
        BadInputError: no encoder reads texts, or fewer than two classes have training pictures.
        MismatchError: the encoders are tested on other pictures.
    """
    refuse_without_texts(sets)
    said = say(sets, n_draws=n_draws, seed=seed)
    by_data = list(zip(*said, strict=True))
    met = [claims.claims(mine, n_resamples=n_resamples, seed=seed) for mine in by_data]
    study, data = sets[0].study, sets[0].on
    return ZeroShotProbe(
        table=pd.concat([table_of(one) for mine in by_data for one in mine], ignore_index=True),
        estimates=pd.DataFrame(
            [
                {"study": study, "on": on} | vars(claim) | vars(claim.estimate)
                for on, one in zip(data, met, strict=True)
                for claim in one.claims
            ]
        ).reindex(columns=list(ESTIMATES)),
        arrays=_arrays(by_data[0], met[0]),
        provenance={
            "study": study,
            "on": data[0],
            "data": list(data),
            "zero_shot": [one.encoder for one in sets if one.reads_texts],
            "reads": {one.encoder: one.reads for one in sets},
            "splits": {one.on: one.splits.how for one in sets[0].sets},
            "crossings": {
                f"{clip}|{probed}": {"words": one.words, "side": one.side}
                for (clip, probed), one in met[0].crossings.items()
            },
            "left_out": {name: why for name, why in (sets[0].left_out or {}).items() if name not in _named(sets)},
            "options": {"also": also, "reads": reads, "templates": templates, "n_draws": n_draws}
            | {"n_resamples": n_resamples, "seed": seed},
        },
    )


def _named(sets: Sequence[ProbedSets]) -> set[str]:
    return {one.encoder for one in sets}


def refuse_without_texts(sets: Sequence[ProbedSets]) -> None:
    """Stop where no encoder has class texts.

    Raises:
        BadInputError: none has.
    """
    if sets and not any(one.reads_texts for one in sets):
        named = ", ".join(f"`{one.encoder}`" for one in sets)
        raise BadInputError(
            f"No encoder named reads texts ({named}), so none can name pictures without training. Name one with a text "
            "tower beside them, such as `clip`."
        )


def table_of(one: Said) -> pd.DataFrame:
    """A row a picture."""

    def named(said: Any) -> list[str]:
        return [one.names[code] for code in said]

    n = len(one.truth)
    zero = one.zero_shot
    return pd.DataFrame(
        {
            "row_id": one.row_ids,
            "encoder": one.encoder,
            "seed": 0,
            "on": one.on,
            "class": named(one.truth),
            "zero_shot": [None] * n if zero is None else named(zero),
            "zero_shot_right": pd.array([pd.NA] * n if zero is None else (zero == one.truth), dtype="boolean"),
            "probe": named(one.probe),
            "probe_right": one.probe == one.truth,
        }
    )


def _arrays(mine: Sequence[Said], met: Met) -> dict[str, Any]:
    """Curves on the data asked about."""
    shots = next((list(one.few) for one in mine if one.few), [])
    last = max(mine[0].n_training, 1.01 * max(shots, default=1))
    level = {(c.system, c.measure): c.estimate for c in met.claims if c.against is None and c.group == CLASSES}
    measures = [*(claims.few(one) for one in shots), claims.PROBE]
    curves = [
        [
            [getattr(level.get((one.encoder, measure)), end, np.nan) for measure in measures]
            for end in ("low", "value", "high")
        ]
        for one in mine
    ]
    return {"shots": np.array([*shots, last], dtype=np.float64), "curves": np.array(curves)}
