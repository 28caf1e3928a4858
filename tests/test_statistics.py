"""Intervals hold what they should as often as they say; draws, p and q equal independent references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from concepttransfer.errors import ShapeError
from concepttransfer.statistics import bca, false_discovery, permutation_p
from concepttransfer.statistics.resampling import Ratio, resample


def share(right, **bounds):
    right = np.atleast_2d(np.asarray(right, dtype=float))
    return Ratio(right, np.ones_like(right), **{"low": 0.0, "high": 1.0} | bounds)


def loops(top, bottom, clusters, kind, n, seed):
    """Resampling as one would write it down, a draw at a time."""
    rng = np.random.default_rng(seed)
    classes = np.unique(clusters)
    found = []
    for _ in range(n):
        drawn = classes if kind == "pictures" else rng.choice(classes, len(classes))
        rows = []
        for one in drawn:
            mine = np.flatnonzero(clusters == one)
            rows.extend(mine if kind == "whole" else rng.choice(mine, len(mine)))
        found.append(top[rows].sum() / bottom[rows].sum())
    return np.array(found)


@pytest.mark.parametrize("kind", ["whole", "nested", "pictures"])
def test_draws_are_distributed_as_those_of_a_loop(kind):
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), rng.integers(3, 9, 12))
    bottom = (rng.random(len(clusters)) < 0.7).astype(float)
    top = bottom * (rng.normal(0.5, 0.1, len(clusters)) + 0.02 * clusters)
    (ours,) = resample([Ratio(top[None], bottom[None])], clusters, n_resamples=6000)
    theirs = loops(top, bottom, clusters, kind, 3000, 1) - top.sum() / bottom.sum()
    drawn = getattr(ours, kind)
    spread = theirs.std() * (
        np.sqrt(np.mean(np.bincount(clusters) / (np.bincount(clusters) - 1))) if kind == "pictures" else 1
    )
    assert drawn.std() == pytest.approx(spread, rel=0.06)
    assert drawn.mean() == pytest.approx(theirs.mean(), abs=0.1 * theirs.std())
    assert stats.skew(drawn) == pytest.approx(stats.skew(theirs), abs=0.2)


def test_several_sizes_of_classes_are_each_drawn_as_often_as_they_hold():
    clusters = np.array([0, 0, 0, 1, 2, 2])
    (ours,) = resample([share([1, 0, 0, 1, 0, 1])], clusters, n_resamples=4000)
    assert ours.value == 0.5
    assert ours.pictures.mean() == pytest.approx(0, abs=0.01)


def test_contributions_sum_to_the_value_and_influences_to_nothing():
    rng = np.random.default_rng(2)
    clusters, bottom = rng.integers(0, 9, 200), rng.integers(0, 2, (3, 200)).astype(float)
    a, b = resample([Ratio(rng.random((3, 200)) * bottom, bottom), share(rng.integers(0, 2, (2, 200)))], clusters)
    for one in (a, b, a - b):
        assert one.contributions.sum() == pytest.approx(one.value)
        assert one.class_influence.sum() == pytest.approx(0, abs=1e-12)
        assert np.bincount(clusters, one.row_influence) == pytest.approx(np.zeros(9), abs=1e-12)


def test_neither_labels_nor_the_order_of_rows_matter():
    rng = np.random.default_rng(3)
    clusters, right = np.repeat(np.arange(20), 8), rng.integers(0, 2, 160)
    order = rng.permutation(160)
    (plain,), (named,) = resample([share(right)], clusters), resample([share(right)], [f"c{c:02}" for c in clusters])
    (moved,) = resample([share(right[order])], clusters[order])
    assert named.interval() == plain.interval()
    assert moved.value == plain.value
    assert np.allclose(moved.whole, plain.whole)
    assert moved.interval() == pytest.approx(plain.interval(), abs=0.02)


def test_equal_encoders_differ_by_nothing():
    right = np.random.default_rng(4).integers(0, 2, 300)
    a, b = resample([share(right), share(right.copy())], np.repeat(np.arange(30), 10))
    difference = a - b
    assert (difference.value, *difference.interval()) == (0, 0, 0)
    assert difference.p_zero(np.random.default_rng(0)) == 1


def test_a_difference_on_the_same_pictures_is_narrower_than_one_on_others():
    rng = np.random.default_rng(5)
    clusters, hard = np.repeat(np.arange(40), 10), np.repeat(rng.random(40), 10)
    right = [(rng.random(400) < hard + shift).astype(float) for shift in (0.0, 0.1)]
    a, b = resample([share(r) for r in right], clusters)
    low, high = (a - b).interval()
    apart = sum((x.interval()[1] - x.interval()[0]) ** 2 for x in (a, b)) ** 0.5
    assert high - low < 0.75 * apart


def test_a_flipped_sign_is_two_encoders_swapped_on_a_class():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(6), 5)
    a, b = (rng.random(30) < p for p in (0.7, 0.3))
    one, other = resample([share(a), share(b)], clusters, n_resamples=20000)
    flips = np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1).T
    sums = np.array([[(a * 1.0 - b)[clusters == c].sum() / 30 for c in range(6)]])
    exact = flips @ sums[0]
    observed = a.mean() - b.mean()
    tails = min((exact >= observed - 1e-9).mean(), (exact <= observed + 1e-9).mean())
    assert (one - other).p_zero(rng) == pytest.approx(min(1, 2 * tails), abs=0.02)


def test_none_of_n_is_no_proof_of_none():
    (never, always) = resample([share(np.zeros(100)), share(np.ones(100))], np.repeat(np.arange(10), 10))
    assert never.interval() == pytest.approx((0, 1 - 0.025**0.01))
    assert always.interval() == pytest.approx((0.025**0.01, 1))


def test_few_rows_or_classes_have_no_p():
    rng = np.random.default_rng(7)
    for n_classes, each in ((4, 50), (19, 1)):
        (one,) = resample([share(rng.integers(0, 2, n_classes * each))], np.repeat(np.arange(n_classes), each))
        assert np.isnan(one.p_zero(rng))
        assert (one.n, one.n_clusters, one.measurable) == (n_classes * each, n_classes, False)


def test_one_class_says_nothing_about_others_and_one_picture_nothing_about_its_class():
    (one,) = resample([share([0, 1, 1, 0])], [0, 0, 0, 0])
    assert np.isnan(one.interval("classes")).all()
    (each,) = resample([share([0, 1, 1, 0])], [0, 1, 2, 3])
    assert np.isnan(each.interval("pictures")).all()


def test_seeds_that_agree_add_nothing_and_seeds_that_differ_widen():
    rng = np.random.default_rng(8)
    clusters, right = np.repeat(np.arange(50), 10), rng.random(500) < 0.4
    apart = np.stack([rng.random(500) < p for p in (0.2, 0.4, 0.6)])
    one, same, wide = resample([share(right), share(np.stack([right] * 3)), share(apart)], clusters)
    assert same.interval() == pytest.approx(one.interval(), abs=0.005)
    assert wide.interval()[1] - wide.interval()[0] > 3 * (one.interval()[1] - one.interval()[0])


def test_rows_that_do_not_belong_are_refused():
    with pytest.raises(ShapeError, match=r"does not belong to 3 rows"):
        resample([share([1, 0])], [0, 0, 1])


def test_bca_equals_scipys():
    data = np.random.default_rng(9).exponential(size=60)
    theirs = stats.bootstrap((data,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(0))
    draws = np.random.default_rng(1).choice(data, (20000, 60)).mean(1)
    low, high = bca(draws - data.mean(), (data - data.mean()) / 60)
    assert data.mean() + low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert data.mean() + high == pytest.approx(theirs.confidence_interval.high, abs=0.015)


def test_p_counts_the_observed_and_both_tails():
    null = np.arange(-99, 100) / 100
    assert permutation_p(2.0, null) == 2 / 200
    assert permutation_p(-2.0, null) == 2 / 200
    assert permutation_p(0.0, null) == 1
    assert permutation_p(0.9, null) == 2 * (10 + 1) / 200
    assert permutation_p(0.5, np.full(9, 0.5)) == 1


def test_q_is_benjamini_and_hochbergs_and_passes_over_missing_p():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5, np.nan, 0.001])
    known = np.sort(p[np.isfinite(p)])
    by_hand = np.minimum.accumulate((known * len(known) / np.arange(1, len(known) + 1))[::-1])[::-1]
    q = false_discovery(p)
    assert np.isnan(q[[1, 5]]).all()
    assert np.sort(q[np.isfinite(q)]) == pytest.approx(by_hand)
    assert q[np.isfinite(p)] == pytest.approx(stats.false_discovery_control(p[np.isfinite(p)]))
    assert np.isnan(false_discovery([np.nan])).all()


def worlds(case, n, seed):
    """Unrelated inputs, many times over: ratios, clusters, and the value that all of them estimate."""
    rng = np.random.default_rng([seed, len(case)])
    n_classes, each, n_seeds = {"ten classes": (10, 20, 1), "seeds": (50, 10, 3)}.get(case, (50, 10, 1))
    truth = np.repeat(np.arange(n_classes), each)
    size = (n, n_seeds, len(truth))
    if case in ("share", "ten classes", "seeds"):
        right = rng.integers(0, n_classes, size) == truth
        return [share(one) for one in right], truth, 1 / n_classes
    wrong = (rng.random(size) < np.repeat(rng.beta(4, 2, (n, 1, n_classes)), each, 2)).astype(float)
    near = 0.5 + np.repeat(rng.normal(0, 0.1, (n, 1, n_classes)), each, 2) + rng.normal(0, 0.15, size)
    near += rng.normal(0, 0.05, (n, n_seeds, 1)) if case == "seeds that differ" else 0
    return [Ratio(v * w, w) for v, w in zip(near, wrong, strict=True)], truth, 0.5


CASES = ["share", "ten classes", "seeds", "errors"]


def coverage(case, n):
    """Share of intervals that hold chance, of levels and of differences between unrelated pairs, and of p below .05."""
    ratios, clusters, chance = worlds(case, n, 0)
    drawn = resample(ratios, clusters, n_resamples=2000, seed=1)
    differences = [a - b for a, b in zip(drawn[::2], drawn[1::2], strict=True)]
    ends = np.array([one.interval() for one in drawn])
    gaps = np.array([one.interval() for one in differences])
    rng = np.random.default_rng(0)
    p = np.array([one.p_zero(rng) for one in differences[:200]])
    held = [((e[:, 0] <= c) & (c <= e[:, 1])).mean() for e, c in ((ends, chance), (gaps, 0))]
    return *held, (p < 0.05).mean()


@pytest.mark.parametrize("case", CASES)
def test_intervals_of_unrelated_inputs_hold_chance(case):
    level, difference, false = coverage(case, 100)
    assert level >= 0.89
    assert difference >= 0.84  # of 50
    assert false <= 0.14  # of 50


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_intervals_of_unrelated_inputs_hold_chance_in_95_percent(case):
    level, difference, false = coverage(case, 1000)
    assert 0.92 <= level <= 0.98
    assert 0.92 <= difference <= 0.985  # of 500
    assert false <= 0.08  # of 200


def test_pictures_alone_hold_the_mean_of_these_classes():
    """Classes of their own difficulty, the same in every run: the narrow interval is about these."""
    rng = np.random.default_rng(11)
    clusters, hard = np.repeat(np.arange(20), 20), np.repeat(rng.random(20), 20)
    drawn = resample([share(rng.random(400) < hard) for _ in range(200)], clusters)
    ends = np.array([one.interval("pictures") for one in drawn])
    wide = np.array([one.interval("classes") for one in drawn])
    assert ((ends[:, 0] <= hard.mean()) & (hard.mean() <= ends[:, 1])).mean() >= 0.9
    assert np.diff(ends).mean() < 0.5 * np.diff(wide).mean()
