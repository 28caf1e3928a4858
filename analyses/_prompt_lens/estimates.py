"""What prompt-lens measures: whether words tell of the picture, how far prompts are from words, what a cut loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from concepttransfer.scoring.prompt_readings import CUT, NO_PROMPT, WHOLE, PromptReadings
from concepttransfer.statistics import Floats
from concepttransfer.statistics.resampling import Ratio

from .._caption_scores.claims import control
from .._runoff.presence import Share, shares
from .._runoff.quantities import Pair, Quantity
from .words import Readings, Sought

CLASS, TRUE = "read as its class", "words read that a reference says"
LENGTH, NEAR, MEAN = "length over that of words", "cosine to the nearest word", "cosine to the mean word"
LOST, LOST_ALL = "lost by cutting a position", "lost by cutting all positions"
NEAREST, VECTORS, CUTS = "nearest words", "soft prompts", "captions"
WORDS = "word vectors"
"""The system that is the language model's own words."""
Systems = Mapping[str, Sequence[PromptReadings]]
"""The readings of each encoder, by seed, all over the same pictures in the same order."""


def layer(number: int) -> str:
    """The group of what the logit lens reads behind a layer."""
    return f"layer {number}"


def position(number: int) -> str:
    """The group of one position of the prompt, from 0."""
    return f"position {number + 1}"


def quantities(systems: Systems, sought: Sought, top: int) -> Iterator[Quantity]:
    """All that is measured, encoder by encoder."""
    for name, some in systems.items():
        yield from _readings(name, some, sought, top)
        yield from _vectors(name, some)
        if all(one.cuts is not None for one in some):
            yield from _cuts(name, some)


def _readings(name: str, some: Sequence[PromptReadings], sought: Sought, top: int) -> Iterator[Quantity]:
    read: dict[str, list[Readings]] = {NEAREST: [_first(one.nearest, top) for one in some]}
    for number in range(some[0].n_layers + 1):
        read[layer(number)] = [_first(one.lens(number), top) for one in some]
    for group, each in read.items():
        if sought.has_classes:
            named = shares([sought.classes_read(one) for one in each], sought.class_truth)[1]
            yield _share(name, group, CLASS, named)
        if sought.has_references:
            yield _share(name, group, TRUE, _precision(each, sought))


def _precision(each: Sequence[Readings], sought: Sought) -> Share:
    """Of the words read the share that is true, of several seeds."""
    tables = [sought.words_read(one) for one in each]
    parts = [shares([said], true)[0] for said, true in tables]
    level = _stacked([part.level for part in parts])
    surplus = _stacked([part.surplus for part in parts])
    return Share(level, surplus, float(np.mean([p.chance for p in parts])))


def _stacked(ratios: Sequence[Ratio]) -> Ratio:
    """One ratio of several seeds from one of each."""
    tops, bottoms = ([getattr(one, name) for one in ratios] for name in ("numerator", "denominator"))
    return Ratio(np.concatenate(tops), np.concatenate(bottoms), ratios[0].low, ratios[0].high)


def _first(readings: Readings, top: int) -> Readings:
    return [[place[:top] for place in places] for places in readings]


def _share(name: str, group: str, measure: str, share: Share) -> Quantity:
    about = "chance: what is read of one picture given to any picture"
    family = "layers" if group != NEAREST else "groups"
    return Quantity(name, group, measure, share.level, share.chance, share.surplus, about, family)


def _vectors(name: str, some: Sequence[PromptReadings]) -> Iterator[Quantity]:
    """How long prompts are, and how near to words; chance is a random direction, which is as near to 0 as can be."""
    lengths = np.stack([one.arrays["norms"] / one.arrays["word_norm"][0] for one in some])
    yield Quantity(name, VECTORS, LENGTH, _mean(lengths), np.nan, None, "no chance: a word's mean length is 1")
    near = np.stack([one.arrays["nearest_cosine"][..., 0] for one in some])
    random = np.stack([one.arrays["random_cosine"] for one in some])
    about = "chance: the nearest word of a random direction"
    yield Quantity(name, VECTORS, NEAR, _mean(near), float(random.mean()), _mean(near - random), about)
    mean = np.stack([one.arrays["mean_cosine"] for one in some])
    yield Quantity(name, VECTORS, MEAN, _mean(mean), about="chance: 0, a random direction")


def _mean(values: Any) -> Ratio:
    """The mean over positions and pictures of values `[n_seeds, n_rows, m]`."""
    values = np.asarray(values, dtype=np.float64)
    return Ratio(values.sum(-1), np.full(values.shape[:2], float(values.shape[2])))


def _cuts(name: str, some: Sequence[PromptReadings]) -> Iterator[Quantity]:
    """Nats of a whole caption that are lost when positions are cut."""
    about = "chance: 0, a caption that does not depend on it"
    losses = np.stack([cut_losses(one) for one in some])
    yield Quantity(name, CUTS, LOST, _mean(losses), about=about)
    for column, at in enumerate(some[0].positions):
        yield Quantity(name, position(at), LOST, _mean(losses[..., [column]]), about=about, family="positions")
    if all(one.cuts is not None and NO_PROMPT in one.cuts.conditions for one in some):
        whole = np.stack([_total(one, WHOLE) - _total(one, NO_PROMPT) for one in some])
        yield Quantity(name, CUTS, LOST_ALL, _mean(whole[..., None]), about=about)


def cut_losses(readings: PromptReadings) -> Floats:
    """[n_rows, m] nats of each caption that are lost when one position is cut."""
    whole = _total(readings, WHOLE)
    return np.stack([whole - _total(readings, CUT.format(at)) for at in readings.positions], axis=-1)


def _total(readings: PromptReadings, condition: str) -> Floats:
    """[n_rows] log-likelihood of each caption under one condition of the cuts."""
    cuts: Any = readings.cuts
    order = {row: n for n, row in enumerate(cuts.row_ids)}
    totals = cuts.totals()[:, cuts.conditions.index(condition)]
    return np.asarray(totals[[order[row] for row in readings.row_ids]], dtype=np.float64)


def pairs(systems: Systems) -> list[Pair]:
    """Each encoder beside its random control: what nearest words and the last layer read, vectors, and cuts."""
    found: list[Pair] = []
    for name, some in systems.items():
        groups = [(g, m) for g in (NEAREST, layer(some[0].n_layers)) for m in (CLASS, TRUE)]
        groups += [(VECTORS, m) for m in (LENGTH, NEAR, MEAN)] + [(CUTS, m) for m in (LOST, LOST_ALL)]
        if other := control(name, list(systems)):
            found += [Pair((name, group, m), (other, group, m), other) for group, m in groups]
    return found


def of_words(one: PromptReadings) -> list[dict[str, Any]]:
    """What the same measures are for the language model's own words: rows of estimates."""
    values = {LENGTH: 1.0, NEAR: float(one.arrays["word_cosine"][0]), MEAN: float(one.arrays["word_mean_cosine"][0])}
    shared = {"system": WORDS, "group": VECTORS, "n": int(one.meta["n_words"])}
    how = "all words of the language model; to the nearest other word of at most 2,000 of them"
    return [shared | {"measure": measure, "value": value, "method": how} for measure, value in values.items()]
