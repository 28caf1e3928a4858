"""Zero-shot and probes are compared on the same pictures; where their curves cross is interpolated on logarithms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from probed_sets import NAMES, sets_of

from concepttransfer.analyses._linear_probe import claims as linear
from concepttransfer.analyses._zero_shot import claims as zero
from concepttransfer.analyses._zero_shot_probe import claims
from concepttransfer.analyses._zero_shot_probe.crossing import crossing, reached
from concepttransfer.analyses._zero_shot_probe.said import Said
from concepttransfer.analyses.linear_probe import linear_probe
from concepttransfer.analyses.zero_shot import zero_shot
from concepttransfer.analyses.zero_shot_probe import ZeroShotProbe, zero_shot_probe
from concepttransfer.concepts import Concept, ConceptSet
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.result import Result
from concepttransfer.statistics.claims import ABOVE

NONE = np.zeros((0, 4)), np.zeros(0)


def animals(one):
    concepts = tuple(Concept(name, "dog.n.01", (name,)) for name in NAMES)
    return ConceptSet("made", concepts, dict(one.splits.truth))


# Where curves cross


def test_a_crossing_is_interpolated_on_the_logarithm():
    """Against numpy's interpolation, and at the points themselves."""
    shots, curve = np.array([1.0, 2, 4, 16]), np.array([0.1, 0.3, 0.5, 0.9])
    for level in (0.15, 0.3, 0.42, 0.7, 0.9):
        wanted = 2 ** np.interp(level, curve, np.log2(shots))
        found = crossing(shots, curve, level, curve[None], np.array([level]))
        assert found.value == pytest.approx(wanted)
        assert (found.low, found.high, found.side) == (pytest.approx(wanted), pytest.approx(wanted), 0)
    assert crossing(shots, curve, 0.05, *NONE).words == "1 or fewer"
    assert crossing(shots, curve, 0.95, *NONE).words == "more than 16"


def test_the_first_of_several_crossings_counts():
    at = np.log2(np.array([1.0, 2, 4, 8]))
    places, side = reached(at, np.array([[0.1, 0.5, 0.2, 0.6]]), np.array([0.3]))
    assert places[0] == pytest.approx(0.5)
    assert side[0] == 0


def test_intervals_of_a_crossing_hold_the_truth():
    """Classes differ; the crossing of their means in the long run is held by about 95 of 100 intervals."""
    shots, slope, level = np.array([1.0, 2, 4, 8, 16]), 0.1, 0.45
    truth, held = 2 ** ((level - 0.2) / slope), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        by_class = 0.2 + slope * np.log2(shots) + 0.12 * rng.normal(size=(40, 1)) + 0.05 * rng.normal(size=(40, 5))
        levels = level + 0.08 * rng.normal(size=40)
        times = rng.multinomial(40, np.full(40, 1 / 40), size=400) / 40
        found = crossing(shots, by_class.mean(0), levels.mean(), times @ by_class, times @ levels)
        held += found.low <= truth <= found.high
    assert 0.89 <= held / 200 <= 0.99


# The analysis


def test_both_are_what_the_analyses_of_each_alone_find():
    one = sets_of("clip", noise=1.2, texts=0.6)
    result = zero_shot_probe([one], n_resamples=100)
    alone = zero_shot([one.sets[0].texts], animals(one.sets[0]), n_resamples=50)
    assert result.claim("clip", claims.ZERO_SHOT)["value"] == alone.claim("clip", zero.TOP1)["value"]
    probed = linear_probe([one.sets[0].splits], animals(one.sets[0]), n_resamples=50)
    assert result.claim("clip", claims.PROBE)["value"] == probed.claim("clip", linear.ACCURACY)["value"]
    for shots in (1, 2, 4, 8):
        found = result.claim("clip", claims.few(shots))["value"]
        assert found == probed.claim("clip", linear.few(shots))["value"]
    assert result.table["zero_shot"].tolist() == alone.table["first"].tolist()
    assert result.table["probe"].tolist() == probed.table["predicted"].tolist()


def test_the_difference_is_paired_over_the_same_pictures():
    one, other = sets_of("clip", noise=1.2, texts=0.3, shifts=(2.0,)), sets_of("plain", noise=2.5, shifts=(3.0,))
    result = zero_shot_probe([one, other], n_resamples=300)
    for on in ("plain", "shifted-0"):
        t = result.table[result.table["on"] == on]
        right = t[t["encoder"] == "clip"].set_index("row_id")["zero_shot_right"].astype(float)
        for probed in ("clip", "plain"):
            mine = t[t["encoder"] == probed].set_index("row_id")["probe_right"].astype(float)
            found = result.difference("clip", probed, on)
            assert found["value"] == pytest.approx((right - mine).mean())
            assert found["low"] <= found["value"] <= found["high"]
            assert found["n"] == len(t) // 2
    assert result.difference("clip", "plain", "plain")["low"] > 0
    assert result.data == ("plain", "shifted-0")
    assert result.zero_shot == ("clip",)
    assert result.table[result.table["encoder"] == "plain"]["zero_shot"].isna().all()


def test_texts_as_good_as_few_pictures_cross_in_between():
    """Texts as noisy as a mean of about two pictures: their crossing lies between one and all."""
    result = zero_shot_probe([sets_of("clip", noise=1.5, texts=1.0, seed=3, per_class=40)], n_resamples=300)
    found = result.claim("clip", claims.CROSSING, against=claims.against("clip"))
    assert result.is_inside("clip", "clip")
    assert 1 < found["value"] < 32
    assert found["low"] <= found["value"] <= found["high"]
    curve = result.arrays["curves"][0, 1]
    wanted = 2 ** np.interp(result.claim("clip", claims.ZERO_SHOT)["value"], curve, np.log2(result.arrays["shots"]))
    if (np.diff(curve) > 0).all():
        assert found["value"] == pytest.approx(wanted)
    assert result.arrays["shots"].tolist() == [1, 2, 4, 8, 32]
    assert "training pictures of a class" in result.answer()


def test_predictions_that_are_unrelated_to_the_pictures_differ_by_nothing():
    """Of the difference above chance the interval holds 0, and p is spread; each has favourite names of its own."""
    held, p, truth = 0, [], np.repeat(np.arange(20), 10)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        zero, probe = (rng.choice(20, size=200, p=rng.dirichlet(np.ones(20))) for _ in range(2))
        ids = tuple(f"row {k}" for k in range(200))
        said = Said("clip", "made", ids, tuple(f"class {k}" for k in range(20)), truth, probe, {}, zero, 5.0)
        found = claims.claims([said], n_resamples=200, seed=seed).claims
        (claim,) = [
            c.estimate
            for c in found
            if c.measure == claims.ZERO_SHOT + ABOVE and c.against and c.group == "classes like these"
        ]
        held += claim.low <= 0 <= claim.high
        p.append(claim.p)
    assert held >= 89
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    assert 0.3 < np.mean(p) < 0.75


def test_results_load_and_draw(tmp_path):
    sets = [sets_of("clip", texts=0.5, shifts=(2.0,)), sets_of("clip-random", noise=30, texts=30, shifts=(40.0,))]
    result = zero_shot_probe(sets, n_resamples=100, n_draws=1)
    assert Result.load(result.save(tmp_path / "r")) == result
    for name in ZeroShotProbe.figures:
        assert result.plot(name).axes
    assert "its own features" in result.summary()
    assert np.isnan(result.arrays["curves"][1, :, :-1]).all()
    assert np.isfinite(result.arrays["curves"][0]).all()
    without = zero_shot_probe(sets, n_resamples=50, n_draws=0)
    assert without.crossing("clip", "clip") == ""
    for name in ZeroShotProbe.figures:
        assert without.plot(name).axes


def test_bad_input_is_answered():
    one = sets_of("clip", texts=0.5)
    with pytest.raises(EmptyDataError, match="nothing to probe"):
        zero_shot_probe([])
    with pytest.raises(BadInputError, match="No encoder named reads texts"):
        zero_shot_probe([sets_of("beit")])
    with pytest.raises(MismatchError, match="tested on other pictures of `plain`"):
        zero_shot_probe([one, sets_of("beit", per_class=5)], n_draws=0)
    splits = one.sets[0].splits
    single = replace(splits, truth={row: name for row, name in splits.truth.items() if name == NAMES[0]})
    with pytest.raises(BadInputError, match="are of one class"):
        zero_shot_probe([replace(one, sets=(replace(one.sets[0], splits=single),))], n_draws=0)
    with pytest.raises(EmptyDataError, match="No train picture"):
        zero_shot_probe([replace(one, sets=(replace(one.sets[0], splits=replace(splits, truth={})),))], n_draws=0)
    with pytest.raises(MismatchError, match="texts of clip are of 8 classes"):
        replace(one.sets[0], names=NAMES[:3])
