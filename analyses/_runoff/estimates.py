"""What runoff measures: gains of words, things named that are not there, and those that no picture asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from concepttransfer.scoring.token_scores import BLANK, NONE, OTHER, PICTURE
from concepttransfer.statistics import MEASURABLE_ROWS, Floats
from concepttransfer.statistics.resampling import Ratio

from .._caption_scores.claims import control
from .presence import shares, table
from .quantities import Pair, Quantity
from .spoken import THIRDS, Bools, Flat, Spoken

GAINS = {
    BLANK: "gain over a blank picture",
    OTHER: "gain over another picture",
    NONE: "gain over no picture",
}
ABSENT, RUNOFF = "things named that are not there", "no likelier than with a blank picture"
ALL, CONTENT, FUNCTION = "all words", "content words", "function words"
THERE, NOT_THERE = "things that are there", "things that are not there"
EARLY, MIDDLE, LATE = THIRDS
EVERYTHING, FIRST, LATER = "everything named", "named first", "named later"
MOST_PLACES = 20
"""Words of a caption whose gain is shown one by one."""
Systems = Mapping[str, Sequence[Spoken]]
"""What each encoder's captions say, by seed."""


def place(number: int) -> str:
    """The group of the words that stand at one place of a caption, from 0."""
    return f"word {number + 1}"


def contrasts(systems: Systems) -> list[str]:
    """What was tried in the picture's place for all captions."""
    every = [one.scores.conditions for some in systems.values() for one in some]
    return [condition for condition in GAINS if all(condition in conditions for conditions in every)]


def quantities(systems: Systems, n_rows: int, true: object, known: Bools) -> Iterator[Quantity]:
    """All that is measured, encoder by encoder."""
    over = contrasts(systems)
    for name, spoken in systems.items():
        for contrast in over:
            yield from _gains(name, spoken, n_rows, contrast)
        yield from _places(name, spoken, n_rows, [one for one in over if one != NONE])
        if known.any():
            yield from _absent(name, spoken, n_rows, true, known)
            if BLANK in over:
                yield from _unasked(name, spoken, n_rows, OTHER in over)


def _gains(name: str, spoken: Sequence[Spoken], n_rows: int, over: str) -> Iterator[Quantity]:
    groups = {
        ALL: [np.ones(len(one.words.row), dtype=bool) for one in spoken],
        **{third: [one.words.third == n for one in spoken] for n, third in enumerate(THIRDS)},
        CONTENT: [~one.is_function for one in spoken],
        FUNCTION: [one.is_function for one in spoken],
        THERE: [one.is_of == 1 for one in spoken],
        NOT_THERE: [one.is_of == 2 for one in spoken],
    }
    for group, masks in groups.items():
        yield Quantity(name, group, GAINS[over], _mean_gain(spoken, masks, n_rows, over), about=_dependence(over))


def _dependence(over: str) -> str:
    said = {BLANK: "a blank picture", OTHER: "another picture", NONE: "no picture"}[over]
    return f"chance: 0, a caption that is as likely with {said}"


def _places(name: str, spoken: Sequence[Spoken], n_rows: int, over: Sequence[str]) -> Iterator[Quantity]:
    """The words at each place that enough captions have."""
    for contrast, number in product(over, range(MOST_PLACES)):
        masks = [one.words.number == number for one in spoken]
        if all(mask.sum() >= MEASURABLE_ROWS for mask in masks):
            level = _mean_gain(spoken, masks, n_rows, contrast)
            yield Quantity(name, place(number), GAINS[contrast], level, about=_dependence(contrast), family="places")


def _mean_gain(spoken: Sequence[Spoken], masks: Sequence[Bools], n_rows: int, over: str) -> Ratio:
    """The mean gain of the words of each seed's mask."""
    pairs = [
        (per_row(one.words, mask, n_rows, one.words.gain(over)), per_row(one.words, mask, n_rows))
        for one, mask in zip(spoken, masks, strict=True)
    ]
    return Ratio(np.stack([top for top, _ in pairs]), np.stack([bottom for _, bottom in pairs]))


def per_row(flat: Flat, mask: Bools, n_rows: int, values: Floats | None = None) -> Floats:
    """[n_rows] the sum over what a mask keeps; without values how many there are."""
    weights = None if values is None else values[mask]
    return np.bincount(flat.row[mask], weights=weights, minlength=n_rows).astype(np.float64)


def _when(spoken: Sequence[Spoken]) -> dict[str, list[Bools]]:
    """Things named, by their order and by the third of the caption."""
    return {
        EVERYTHING: [np.ones(len(one.things.row), dtype=bool) for one in spoken],
        FIRST: [one.things.number == 0 for one in spoken],
        LATER: [one.things.number > 0 for one in spoken],
        **{third: [one.things.third == n for one in spoken] for n, third in enumerate(THIRDS)},
    }


def _absent(name: str, spoken: Sequence[Spoken], n_rows: int, true: object, known: Bools) -> Iterator[Quantity]:
    """The share of what is named that the picture does not contain; chance deals captions to other pictures."""
    some = np.flatnonzero(known)
    truth = true[some]  # type: ignore[index]
    for group, masks in _when(spoken).items():
        said = [
            table(one.things.row[mask], one.noun[mask], (n_rows, truth.shape[1]))[some]
            for one, mask in zip(spoken, masks, strict=True)
        ]
        share = shares(said, truth)[0].complement()
        level, surplus = (_spread(ratio, some, n_rows) for ratio in (share.level, share.surplus))
        yield Quantity(name, group, ABSENT, level, share.chance, surplus, "chance: captions dealt to any picture")


def _spread(ratio: Ratio, rows: np.ndarray[tuple[int], np.dtype[np.int64]], n_rows: int) -> Ratio:
    """The same ratio over all rows."""

    def wide(values: Floats) -> Floats:
        made = np.zeros((len(values), n_rows))
        made[:, rows] = values
        return made

    return Ratio(wide(ratio.numerator), wide(ratio.denominator), ratio.low, ratio.high)


def _unasked(name: str, spoken: Sequence[Spoken], n_rows: int, has_other: bool) -> Iterator[Quantity]:
    """The share of things named that a blank picture makes as likely; chance puts another picture in the place."""
    groups = {
        EVERYTHING: [np.ones(len(one.is_true), dtype=bool) for one in spoken],
        THERE: [one.is_true for one in spoken],
        NOT_THERE: [~one.is_true for one in spoken],
    }
    about = "chance: another picture in the picture's place" if has_other else "chance is not known"
    for group, masks in groups.items():
        counted, asked, by_chance = [], [], []
        for one, mask in zip(spoken, masks, strict=True):
            blank = one.things.scores[BLANK]
            counted.append(per_row(one.things, mask, n_rows))
            asked.append(per_row(one.things, mask & (one.things.scores[PICTURE] <= blank), n_rows))
            other = one.things.scores[OTHER] if has_other else blank
            by_chance.append(per_row(one.things, mask & (other <= blank), n_rows))
        top, chance, bottom = np.stack(asked), np.stack(by_chance), np.stack(counted)
        level, surplus = Ratio(top, bottom, 0, 1), Ratio(top - chance, bottom, -1, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(np.mean(chance.sum(1) / bottom.sum(1))) if has_other else np.nan
        yield Quantity(name, group, RUNOFF, level, value, surplus if has_other else None, about)


def pairs(systems: Systems) -> list[Pair]:
    """Which differences are claims: late and early, content and function words, absent and present; and the control."""
    found: list[Pair] = []
    for name in systems:
        for measure in GAINS.values():
            sides = ((LATE, EARLY), (CONTENT, FUNCTION), (THERE, NOT_THERE))
            found += [Pair((name, a, measure), (name, b, measure), b) for a, b in sides]
        found += [Pair((name, a, ABSENT), (name, b, ABSENT), b) for a, b in ((LATER, FIRST), (LATE, EARLY))]
        found.append(Pair((name, NOT_THERE, RUNOFF), (name, THERE, RUNOFF), THERE))
        if other := control(name, list(systems)):
            mains = [(ALL, measure) for measure in GAINS.values()] + [(EVERYTHING, ABSENT), (EVERYTHING, RUNOFF)]
            found += [Pair((name, group, m), (other, group, m), other) for group, m in mains]
    return found
