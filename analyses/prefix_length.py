"""How many soft prompts does a picture need, and how many let a fit learn by heart? Mokady et al. 2021, figure 7."""

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
from concepttransfer.scoring.training_captions import TrainingCaptions
from concepttransfer.transfer import Transfer

from ._prefix_length import scores as s
from ._prefix_length.words import answer, headline, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class PrefixLength(Result):
    """A row a fit and part: `other pictures`, or `training pictures` that it learnt from.

    `mapper` is the encoder without what its name says of the length (`mlp-tuned` of `mlp-tuned@prefix:5`); `loss` of
    training pictures is the last one of the fit, of others that of held-out captions; `parameters` were trained.
    `estimates` has names right and CIDEr-D (0 to 10) in the groups `other pictures` and `training pictures`, and the
    loss, in nats a token, of `training pictures` and `held-out captions`.
    """

    kind: ClassVar[str] = "prefix-length"
    columns: ClassVar[dict[str, str]] = s.COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("sweep",)
    main_group: ClassVar[str | None] = s.OTHERS
    unpaired: ClassVar[str] = "has a row a fit, and none a picture"

    @property
    def sweeps(self) -> dict[str, dict[str, int]]:
        """Of each mapper its encoders, with the number of soft prompts of each, the fewest first."""
        found: dict[str, dict[str, int]] = {}
        for row in self.table.sort_values("prefix", kind="stable").itertuples():
            found.setdefault(str(row.mapper), {})[str(row.encoder)] = int(row.prefix)  # type: ignore[arg-type]
        return {mapper: found[mapper] for mapper in dict.fromkeys(self.table["mapper"])}

    def summary(self) -> str:
        """The best length of each mapper, on other pictures and on those learnt from, with interval, chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """The best length of each mapper."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row a mapper and length: scores and losses beside chance."""
        return headline(self)

    def plot_sweep(self) -> Figure:
        """Scores and losses by the number of soft prompts, with 95 % intervals; dotted: pictures learnt from."""
        from ._prefix_length.figures import sweep

        return sweep(self)


@analysis("prefix-length", title="How many soft prompts does a picture need?")
def prefix_length(
    transfers: Annotated[list[Transfer], On("prefixes")],
    captions: Annotated[list[Captions], On("prefixes")],
    references: Annotated[Manifest, On("prefixes")],
    classes: Annotated[ConceptSet | None, On("prefixes")] = None,
    trained: Annotated[TrainingCaptions | None, On("prefixes")] = None,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> PrefixLength:
    """Score fits with different numbers of soft prompts, on pictures that they learnt from and on others.

    `--encoder clip@prefix:5` fits `clip` with 5 soft prompts, `--encoder clip@prefixes` with 1, 2, 5, 10, 20 and 40.
    Names right (where classes are known) are those of `awa-errors`, CIDEr-D is that of `caption-scores`, with their
    chance levels and intervals; at most 500 training pictures are captioned. Intervals of losses are over seeds.

    Args:
        transfers: of each encoder and seed.
        captions: by each of them, over the same pictures.
        references: of these pictures.
        classes: what they show, where it is known.
        trained: captions of pictures that the fits learnt from; None: imported ones, of which nobody knows.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no fits, or neither classes nor references to score captions by.
        MismatchError: captions and fits are not of the same encoders and seeds.
    """
    _check(transfers, captions)
    parts = [s.Part(s.OTHERS, captions, references, classes)]
    if trained is not None and trained.captions:
        parts.append(s.Part(s.TRAINING, trained.captions, trained.references, trained.classes))
    scored = [s.Scored.of(part, n_resamples, seed) for part in parts]
    shared = {"study": captions[0].study, "on": captions[0].on}
    claims = s.all_claims(transfers, scored)
    return PrefixLength(
        table=s.table(transfers, scored),
        estimates=pd.DataFrame([shared | vars(c) | vars(c.estimate) for c in claims]).reindex(columns=list(ESTIMATES)),
        provenance=shared
        | {
            "options": {"n_resamples": n_resamples, "seed": seed},
            "pictures": len(captions[0].row_ids),
            "training_pictures": len(parts[1].captions[0].row_ids) if len(parts) > 1 else 0,
        },
    )


def _check(transfers: Sequence[Transfer], captions: Sequence[Captions]) -> None:
    if not transfers or not captions:
        raise EmptyDataError("There are no fits to score. Name some: concepttransfer prefix-length --encoder NAME")
    fits = {(one.encoder, one.seed) for one in transfers}
    if strange := sorted({(one.encoder, one.seed) for one in captions} ^ fits):
        encoder, seed = strange[0]
        raise MismatchError(f"Fits and captions do not belong together: {encoder}, seed {seed} is among one of them.")
