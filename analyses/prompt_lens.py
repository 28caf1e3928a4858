"""What do soft prompts look like to the language model? Mokady et al. 2021 (ClipCap), section 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import pandas as pd

from concepttransfer.analysis import On, analysis
from concepttransfer.concepts import ConceptSet
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.scoring.prompt_readings import PromptReadings

from ._prompt_lens import estimates as est
from ._prompt_lens.table import COLUMNS, examples, frame, spreads
from ._prompt_lens.text import answer, headline, sentence
from ._prompt_lens.words import Sought
from ._runoff.quantities import claims

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptLens(Result):
    """A row a position of a picture's soft prompt, encoder and seed.

    `length` is over the mean length of word vectors; `cosine` is to the nearest word; `nearest` are the nearest words
    and `last_layer` those that the language model would say there, the best first; `lost` is how many nats the caption
    loses when the position is cut. `estimates` has what is read in the groups `nearest words` and `layer 0`, `layer 1`,
    ...; lengths and cosines of `soft prompts`; and losses, of `captions` and by `position 1`, ...
    """

    kind: ClassVar[str] = "prompt-lens"
    columns: ClassVar[dict[str, str]] = COLUMNS
    figures: ClassVar[tuple[str, ...]] = ("words", "layers", "norms", "cuts")
    main_group: ClassVar[str | None] = est.NEAREST

    @property
    def n_layers(self) -> int:
        """Of the language model."""
        return int(self.provenance["layers"])

    def summary(self) -> str:
        """What prompts are read as, how near they are to words, and what cutting them loses, each with chance and n."""
        return sentence(self)

    def answer(self) -> str:
        """Which encoder comes first, which last, and how far the random controls come."""
        return answer(self)

    def headline(self) -> pd.DataFrame:
        """A row an encoder: what is read, lengths, cosines and losses, beside chance."""
        return headline(self)

    def wanted_pictures(self) -> list[str]:
        """The rows that the sheet of examples shows."""
        return list(self.provenance["shown"])

    def plot_words(self) -> Figure:
        """Pictures, and what the language model reads at each position of their prompts; bold with +: true of them."""
        from ._prompt_lens.sheet import words

        return words(self)

    def plot_layers(self) -> Figure:
        """What is read of the picture behind each layer, with 95 % intervals; dotted: readings of other pictures."""
        from ._prompt_lens.figures import layers

        return layers(self)

    def plot_norms(self) -> Figure:
        """Length and direction of soft prompts beside those of words (grey band: 95 % of them); grey tick: chance."""
        from ._prompt_lens.figures import norms

        return norms(self)

    def plot_cuts(self) -> Figure:
        """How many nats a caption loses when a position is cut, or all, with 95 % intervals; chance is 0."""
        from ._prompt_lens.figures import cuts

        return cuts(self)


@analysis("prompt-lens", title="What do soft prompts look like to the language model?")
def prompt_lens(
    readings: Annotated[list[PromptReadings], On("animals")],
    references: Annotated[Manifest, On("animals")],
    classes: Annotated[ConceptSet | None, On("animals")] = None,
    *,
    top: int = 5,
    n_resamples: int = 2000,
    seed: int = 0,
) -> PromptLens:
    """Read soft prompts by the language model's words, hold them against its word vectors, and cut them.

    At each position of a prompt: the words whose vectors are nearest by cosine (ClipCap's reading), and the words that
    the language model would say there if one of its layers were the last (the logit lens). A reading tells of the
    picture if a word in it is, or begins, a word of the picture's class; chance gives readings to other pictures. Then
    lengths and cosines beside those of words and of random directions, and what a caption loses without a position. How
    many pictures, positions and words are read is said under `lens:` in the study. Intervals resample pictures and
    seeds.

    Args:
        readings: of each encoder and seed, over the same pictures.
        references: captions of these pictures that people wrote, if there are any.
        classes: the class of each picture, where it is known.
        top: how many words count at each place, at most as many as were kept.
        n_resamples: resamples of each interval and draws of each p.
        seed: of all draws.

    Raises:
        EmptyDataError: there are no readings.
        MismatchError: the readings are of different pictures.
        BadInputError: `top` is below 1, or values that are no numbers.
    """
    if top < 1:
        raise BadInputError(f"{top} words at each place leave nothing to read. Give --top 1 or more.")
    ordered = _ordered(readings)
    rows = list(ordered[0].row_ids)
    texts = dict(zip(references.ids, references.texts, strict=True))
    sought = Sought(rows, [texts.get(row, ()) for row in rows], classes)
    names = list(dict.fromkeys(one.encoder for one in readings))
    systems = {name: [one for one in ordered if one.encoder == name] for name in names}
    measured = list(est.quantities(systems, sought, top))
    made = claims(measured, est.pairs(systems), n_resamples=n_resamples, seed=seed)
    first, shown = ordered[0], examples(systems, sought)
    shared = {"study": first.study, "on": first.on}
    listed = [shared | vars(c) | vars(c.estimate) for c in made] + [shared | row for row in est.of_words(first)]
    return PromptLens(
        table=frame(systems),
        estimates=pd.DataFrame(listed).reindex(columns=list(ESTIMATES)),
        arrays=spreads(systems),
        provenance=shared
        | {
            "options": {"top": top, "n_resamples": n_resamples, "seed": seed},
            "pictures": len(rows),
            "positions": max(one.n_positions for one in ordered),
            "positions_read": max(len(one.positions) for one in ordered),
            "layers": first.n_layers,
            "classes": sought.has_classes,
            "references": sought.has_references,
            "examples": shown,
            "shown": list(shown),  # in their order, which a saved dictionary loses
        },
    )


def _ordered(readings: Sequence[PromptReadings]) -> list[PromptReadings]:
    """By encoder and seed, all over the same pictures in the same order, and all of numbers."""
    import numpy as np

    if not readings:
        raise EmptyDataError("There are no soft prompts to read. Name one: concepttransfer prompt-lens --encoder NAME")
    first = readings[0]
    for one in readings:
        if one.row_ids != first.row_ids:
            raise MismatchError(
                f"The prompts of {one.encoder} (seed {one.seed}, {len(one.row_ids)} pictures) and of {first.encoder} "
                f"(seed {first.seed}, {len(first.row_ids)}) are of different pictures. Read the same data for both."
            )
        if bad := [name for name in ("norms", "nearest_cosine") if not np.isfinite(one.arrays[name]).all()]:
            raise BadInputError(
                f"The soft prompts of {one.encoder} (seed {one.seed}) hold values that are no numbers (`{bad[0]}`). "
                "Look at its features and at its fit."
            )
    names = list(dict.fromkeys(one.encoder for one in readings))
    return sorted(readings, key=lambda one: (names.index(one.encoder), one.seed))
