"""Binary probes of attributes on classes that they have not seen, and of a control task of the same marginals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concepttransfer.probing import fit_probes, sweep
from concepttransfer.statistics import Floats

from .classes import Codes, Pictures
from .precision import average_precision, influence

N_FOLDS = 5
FOLDS = "attribute AP, classes held out in 5 folds"
STANDARD = "attribute AP, AwA2's 10 test classes"
SEEN = "attribute AP, pictures held out (a class probe)"
LEAST_CLASSES = 2 * N_FOLDS
N_PERMUTATIONS = 20
"""Of each attribute in each fold, whose mean is chance: the mean over attributes varies much less."""
MOST_STEPS = 100
"""Of each fit: a step changes the order of pictures less and less, and 85 probes of every fold are fitted."""
SEARCH = 1e-3
"""When fits of a sweep end: ten times as early as those of classes, which moves average precision by at most .003."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """Which classes an attribute probe is tested on.

    Attributes:
        name: the measure's name.
        folds: [n_classes] which fold a class is in.
        tested: the folds that are held out by turns; none: pictures are held out, not classes.
    """

    name: str
    folds: Codes
    tested: tuple[int, ...]


@dataclass(frozen=True)
class Precisions:
    """How well probes of one encoder order the test pictures by each attribute, in one setting.

    Attributes:
        values: [m] average precision, mean over folds; NaN where no fold has pictures with and without it.
        chance: [m] with attributes permuted among the classes tested.
        each: [n] a value a test picture whose mean is that over the attributes; 0 where a picture is not tested.
        surplus: [n] the same for what is above chance, which other pictures would change with it.
        tested: [n] whether it is.
    """

    values: Floats
    chance: Floats
    each: Floats
    surplus: Floats
    tested: Flags


def settings(here: Codes, n_classes: int, standard: Flags | None, seed: int) -> list[Setting]:
    """The ways of holding out that the classes allow: 5 folds and AwA2's where there are enough, pictures always.

    Args:
        here: [k] the classes that have pictures.
        n_classes: how many there are, with pictures or without.
        standard: [n_classes] whether it is one of AwA2's test classes; None: these are not AwA2's animals.
        seed: of the folds.
    """
    rng = np.random.default_rng([seed, 3])
    found = []
    if len(here) >= LEAST_CLASSES:
        found.append(Setting(FOLDS, _dealt(here, n_classes, rng), tuple(range(N_FOLDS))))
    if standard is not None and standard[here].sum() >= 2 and (~standard[here]).sum() >= LEAST_CLASSES:
        folds = 1 + _dealt(here[~standard[here]], n_classes, rng)
        folds[standard] = 0
        found.append(Setting(STANDARD, folds, (0,)))
    return [*found, Setting(SEEN, np.zeros(n_classes, dtype=np.int64), ())]


def _dealt(classes: Codes, n_classes: int, rng: np.random.Generator) -> Codes:
    folds = np.full(n_classes, -1)
    folds[rng.permutation(classes)] = np.arange(len(classes)) % N_FOLDS
    return folds.astype(np.int64)


def control_task(attributes: Flags, folds: Codes, rng: np.random.Generator) -> Flags:
    """Attributes that mean nothing: each column permuted among the classes of a fold. Hewitt & Liang 2019, section 2.

    So every class has a random vector, and every attribute as many classes in each fold as before. The paper draws a
    class's label from the marginals; a permutation has them exactly.
    """
    found = attributes.copy()
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        found[rows] = rng.permuted(attributes[rows], axis=0)
    return found


def probe_attributes(pictures: Pictures, attributes: Flags, setting: Setting) -> Precisions:
    """Fit and test one probe an attribute, in each fold of a setting.

    Args:
        pictures: of one encoder.
        attributes: [n_classes, m] which class has which.
        setting: what is held out.
    """
    n, m = len(pictures.y_test), attributes.shape[1]
    values, chances = np.zeros(m), np.zeros(m)
    slopes, chance_slopes = np.zeros((n, m)), np.zeros((n, m))
    n_folds, tested = np.zeros(m), np.zeros(n, dtype=bool)
    for rows, scores, fitted in _folds(pictures, attributes, setting):
        truth = attributes[pictures.y_test[rows]]
        ap, slope = influence(scores, truth)
        known = fitted & np.isfinite(ap)
        at = np.ix_(rows, known)
        n_folds += known
        tested[rows] |= known.any()
        values[known] += ap[known]
        chances[known] += _by_chance(scores, pictures.y_test[rows], attributes)[known]
        slopes[at] += _without_each_class(scores, truth, pictures.y_test[rows], slope)[:, known]
        chance_slopes[at] += ((truth - truth.mean(0)) / len(rows))[:, known]
    known = n_folds > 0
    folds = np.where(known, n_folds, np.nan)
    values, chances, n_known = values / folds, chances / folds, max(int(known.sum()), 1)

    def spread(level: Floats, slope: Floats) -> Floats:
        mean = float(level[known].mean()) if known.any() else np.nan
        by_row = (slope[:, known] / folds[known]).sum(1) / n_known
        return np.where(tested, mean + int(tested.sum()) * by_row, 0.0)

    surplus = spread(values - chances, slopes - chance_slopes)
    return Precisions(values, chances, spread(values, slopes), surplus, tested)


def _without_each_class(scores: Floats, truth: Flags, y: Codes, slopes: Floats) -> Floats:
    """The slopes [n, m], a class's pictures shifted so that together they move the value as leaving the class out does.

    To first order they do so anyway; with few classes in a fold first order understates it. Where nothing is left to
    order without a class, its slopes stay. The jackknife: Efron & Stein 1981.
    """
    classes, codes = np.unique(y, return_inverse=True)
    k = len(classes)
    left = np.stack([average_precision(scores[codes != c], truth[codes != c]) for c in range(k)]) if k > 2 else None
    if left is None:
        return slopes
    known = np.isfinite(left)
    mean = np.where(known, left, 0).sum(0) / np.maximum(known.sum(0), 1)
    sums = np.stack([slopes[codes == c].sum(0) for c in range(k)])
    moved = np.where(known, np.sqrt((k - 1) / k) * (mean - left), sums)
    found: Floats = slopes + ((moved - sums) / np.bincount(codes)[:, None])[codes]
    found -= found.mean(0)
    return found


def _by_chance(scores: Floats, y: Codes, attributes: Flags) -> Floats:
    """[m] with attributes permuted among the classes tested: pictures of a class stay together, as scores keep them."""
    classes, codes = np.unique(y, return_inverse=True)
    rng = np.random.default_rng(len(y))
    drawn = (rng.permuted(attributes[classes], axis=0)[codes] for _ in range(N_PERMUTATIONS))
    found = np.stack([average_precision(scores, truth) for truth in drawn])
    known = np.isfinite(found)
    return np.where(known.any(0), np.where(known, found, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan)


def _folds(pictures: Pictures, attributes: Flags, setting: Setting) -> Iterator[tuple[Codes, Floats, Flags]]:
    """For each fold: its test rows, their scores [rows, m], and which attributes could be fitted."""
    p = pictures
    if not setting.tested:
        rows = np.arange(len(p.y_test))
        yield rows, *_scores((p.train, p.y_train), (p.validation, p.y_validation), p.test, attributes)
        return
    x, y = np.concatenate([p.train, p.validation]), np.concatenate([p.y_train, p.y_validation])
    n_folds = setting.folds.max() + 1
    for fold in setting.tested:
        tuned = (fold + 1) % n_folds
        judging, held = setting.folds[y] == tuned, setting.folds[y] == fold
        rows = np.flatnonzero(setting.folds[p.y_test] == fold)
        learning = ~judging & ~held
        yield rows, *_scores((x[learning], y[learning]), (x[judging], y[judging]), p.test[rows], attributes)


def _scores(
    learning: tuple[Floats, Codes], judging: tuple[Floats, Codes], test: Floats, attributes: Flags
) -> tuple[Floats, Flags]:
    """Sweep one strength for all attributes by their mean average precision, refit on both parts, score the test."""
    (x, y), (x_judge, y_judge) = learning, judging
    targets, truth = attributes[y], attributes[y_judge]
    fitted = np.asarray(targets.any(0) & ~targets.all(0))
    scores = np.zeros((len(test), attributes.shape[1]))
    if not fitted.any() or len(test) == 0:
        return scores, np.zeros_like(fitted)
    both = np.concatenate([x, x_judge]), np.concatenate([targets, truth])[:, fitted].astype(np.int64)
    strength = 1.0
    if len(y_judge):
        score = _mean_precision(truth[:, fitted])
        own = targets[:, fitted].astype(np.int64)
        strength = sweep(x, own, x_judge, score, tolerance=SEARCH, max_steps=MOST_STEPS).strength
    scores[:, fitted] = fit_probes(*both, [strength], max_steps=MOST_STEPS).scores(test)[0]
    return scores, fitted


class _mean_precision:
    """Judges strengths: the mean average precision over the attributes that some validation pictures have."""

    def __init__(self, truth: Flags) -> None:
        self.truth = truth

    def __call__(self, logits: Floats) -> Floats:
        return np.array([np.nan_to_num(np.nanmean([0.0, *_known(one, self.truth)])) for one in logits])


def _known(scores: Floats, truth: Flags) -> Floats:
    found = average_precision(scores, truth)
    return found[np.isfinite(found)]


Found = Mapping[str, tuple[Precisions, Precisions]]
"""By setting: of the attributes, and of the control task."""
