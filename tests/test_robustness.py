"""Lines and distances from them are found where they are known; on the line they are 0; the microworld is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from probed_sets import NAMES, sets_of
from scipy.stats import false_discovery_control

import concepttransfer as ct
from concepttransfer.analyses._robustness import claims
from concepttransfer.analyses._robustness.claims import PROBE, ZERO_SHOT, Scores, robust
from concepttransfer.analyses._robustness.line import expected, expit, fit_line, logit
from concepttransfer.analyses.robustness import Robustness, robustness
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.result import Result
from concepttransfer.study.probed_sets import probed_sets

ORDINARY = np.array([True] * 6 + [False])
SYSTEMS = (*((f"probe {k}", PROBE) for k in range(6)), ("clip", ZERO_SHOT))
N = 1e9


def accuracies(slope, intercept, offset, spread=0.0, rng=None):
    """[7, 2] of six probes about a line on logit axes, and a classifier `offset` above it in accuracy."""
    x = np.array([-1.5, -1.0, -0.4, 0.2, 0.9, 1.6, 0.7])
    y = expit(slope * x + intercept + (spread * rng.normal(size=7) if rng is not None else 0))
    y[-1] += offset
    return np.stack([expit(x), y], axis=1)


@pytest.mark.parametrize(("slope", "intercept", "offset"), [(1.0, -0.5, 0.0), (0.7, -1.0, 0.1), (1.3, 0.2, -0.08)])
def test_a_known_line_and_a_known_offset_are_found(slope, intercept, offset):
    found = robust(accuracies(slope, intercept, offset), np.array([N, N]), ORDINARY)
    assert found.lines[0] == pytest.approx([slope, intercept], abs=1e-6)
    assert found.effective[-1, 0] == pytest.approx(offset, abs=1e-6)
    assert found.effective[:-1, 0] == pytest.approx(0, abs=1e-6)
    assert found.scatter[0] == pytest.approx(0, abs=1e-6)


def test_the_line_is_scipys_and_that_of_a_probe_is_of_the_others():
    from scipy.stats import linregress

    rng = np.random.default_rng(0)
    made = accuracies(0.9, -0.6, 0.05, 0.3, rng)
    found = robust(made, np.array([N, N]), ORDINARY)
    x, y = logit(made[:6, 0], N), logit(made[:6, 1], N)
    wanted = linregress(x, y)
    assert found.lines[0] == pytest.approx([wanted.slope, wanted.intercept])
    assert found.expected[-1, 0] == pytest.approx(expit(wanted.slope * logit(made[6, 0], N) + wanted.intercept))
    without = linregress(np.delete(x, 2), np.delete(y, 2))
    assert found.effective[2, 0] == pytest.approx(made[2, 1] - expit(without.slope * x[2] + without.intercept))


def test_too_few_probes_have_a_slope_of_one():
    x, y = np.array([0.2, 0.9]), np.array([-0.5, 0.4])
    assert fit_line(x, y) == pytest.approx([1, y.mean() - x.mean()])
    assert fit_line(np.full(5, 0.3), np.arange(5.0)) == pytest.approx([1, 1.7])
    assert expected(np.array([1.0, -0.5]), np.array([0.5])) == pytest.approx(0.5)
    found = robust(accuracies(1, 0, 0.1)[[0, 1, 6]], np.array([N, N]), np.array([True, True, False]))
    assert np.isnan(found.effective[:2]).all()
    assert np.isfinite(found.effective[2]).all()


def test_logits_are_finite_and_odd():
    shares = np.array([0, 0.1, 0.5, 0.9, 1])
    found = logit(shares, 100)
    assert np.isfinite(found).all()
    assert found == pytest.approx(-found[::-1])
    assert expit(logit(shares, N))[1:4] == pytest.approx(shares[1:4], abs=1e-8)


def drawn_scores(made, rng, n_classes=25, per_class=12, effect=0.6):
    """Right and wrong answers with these accuracies, a class being easier or harder for all classifiers alike."""
    truth = np.repeat(np.arange(n_classes), per_class)
    right = []
    for column in range(made.shape[1]):
        shift = effect * rng.normal(size=n_classes)[truth]
        shift -= shift.mean()
        p = expit(logit(made[:, column], N)[:, None] + shift)
        p *= made[:, column, None] / p.mean(axis=1, keepdims=True)
        right.append((rng.random(p.shape) < np.minimum(p, 1)).astype(float))
    chance = np.full(made.shape, 1 / n_classes)
    return Scores(SYSTEMS, ("plain", "shifted"), tuple(right), (truth, truth), chance)


def claim_of(scores, n_resamples, seed):
    found = claims.claims(scores, n_resamples=n_resamples, seed=seed)
    name = claims.EFFECTIVE + ZERO_SHOT
    return next(c.estimate for on, c in found if c.measure == name and c.group == "classes like these")


@pytest.mark.parametrize("offset", [0.0, 0.15])
def test_intervals_hold_the_known_offset(offset):
    """100 draws of pictures and classes: the interval of effective robustness holds what was put in."""
    held, p = 0, []
    for seed in range(100):
        rng = np.random.default_rng([seed, 7])
        estimate = claim_of(drawn_scores(accuracies(0.9, -0.7, offset), rng), 200, seed)
        held += estimate.low <= offset <= estimate.high
        p.append(estimate.p)
    assert held >= 89
    if offset:
        assert np.mean(np.array(p) < 0.05) > 0.8
    else:
        assert np.mean(np.array(p) < 0.05) <= 0.12
        assert 0.3 < np.mean(p) < 0.75


def encoders(**clip):
    shifts = (2.2, 3.0)
    made = [
        sets_of(f"probe-{k}", noise=noise, shifts=tuple(noise * s / 1.2 for s in shifts), seed=0)
        for k, noise in enumerate((0.8, 1.1, 1.5, 2.0))
    ]
    return [*made, sets_of("clip", **({"noise": 1.2, "shifts": shifts, "texts": 0.3} | clip))]


def test_the_analysis_of_features_is_that_of_their_predictions(tmp_path):
    sets = encoders()
    result = robustness(sets, n_resamples=100)
    assert result.shifted == ("shifted-0", "shifted-1")
    assert result.systems[-1] == ("clip", ZERO_SHOT)
    assert len(result.systems) == 6
    t = result.table[result.table["on"] == "shifted-1"].set_index(["encoder", "how"])
    made = t[["plain", "accuracy"]].to_numpy()
    by_hand = robust(made, np.array([96.0, 96.0]), np.array([how == PROBE for _, how in t.index]))
    assert t["effective"].to_numpy() == pytest.approx(by_hand.effective[:, 0])
    one = result.about("shifted-1", "clip", claims.EFFECTIVE + ZERO_SHOT)
    assert one["value"] == pytest.approx(t.loc[("clip", ZERO_SHOT), "effective"])
    both = result.about(claims.EVERY, "clip", claims.EFFECTIVE + ZERO_SHOT)
    each = [result.about(on, "clip", claims.EFFECTIVE + ZERO_SHOT)["value"] for on in result.shifted]
    assert both["value"] == pytest.approx(np.mean(each))
    assert result.arrays["lines"][1] == pytest.approx(by_hand.lines[0])
    tested = result.estimates[result.estimates["p"].notna()]
    assert len(tested) == 6 * 3
    assert tested["q"].to_numpy() == pytest.approx(false_discovery_control(tested["p"].to_numpy(dtype=float)))
    assert Result.load(result.save(tmp_path / "r")) == result
    for name in Robustness.figures:
        assert result.plot(name).axes
    assert "from the line of probes" in result.answer()
    assert "slope" in result.summary()


def test_order_of_encoders_and_of_pictures_changes_nothing():
    sets = encoders()
    wanted = robustness(sets, n_resamples=20).table.set_index(["encoder", "how", "on"])["effective"]
    found = robustness(sets[::-1], n_resamples=20).table.set_index(["encoder", "how", "on"])["effective"]
    assert found.loc[wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), nan_ok=True)


def test_random_controls_are_not_on_the_line():
    sets = encoders()
    control = sets_of("probe-0-random", noise=9, shifts=(9.0, 9.0))
    with_control = robustness([*sets, control], n_resamples=20)
    assert with_control.arrays["lines"] == pytest.approx(robustness(sets, n_resamples=20).arrays["lines"])
    assert with_control.provenance["n_ordinary"] == 5


def test_bad_input_is_answered():
    with pytest.raises(EmptyDataError, match="nothing to probe"):
        robustness([])
    with pytest.raises(BadInputError, match="no shifted pictures beside `plain`"):
        robustness([sets_of("beit")])
    one = sets_of("beit", shifts=(2.0,))
    other = replace(one.sets[1], names=(*NAMES, "another"))
    with pytest.raises(MismatchError, match="`shifted-0` has other classes"):
        robustness([replace(one, sets=(one.sets[0], other))])


def test_the_microworld_has_shifted_pictures_of_its_animals():
    """Probes learn from plain pictures and see others; data that nobody names are asked for."""
    study = ct.load_study("microworld", limit=100, quiet=True)
    options = {"also": "test-cluttered", "n_resamples": 50}
    result = study.analyze("robustness", encoders=["clip", "nfrn50"], on="dev", **options)
    assert result.shifted == ("test-cluttered",)
    systems = {("clip", PROBE), ("nfrn50", PROBE), ("clip", ZERO_SHOT), ("nfrn50-random", PROBE)}
    assert systems < set(result.systems)
    for on, least in (("dev", 0.6), ("test-cluttered", 0.1)):
        assert result.about(on, "clip", ZERO_SHOT)["value"] > least
        assert result.about(on, "nfrn50-random", PROBE)["value"] < 0.3
    selection, beside = study.select("dev")[0], {"also": "test-cluttered"}
    (one,) = probed_sets(study, ["clip", "clip@projected"], selection, **beside)
    assert one.left_out == {"clip@projected": "the same CLIP as `clip`"}
    first, other = probed_sets(study, ["clip@projected", "clip"], selection, reads="own", **beside)
    assert (first.reads, first.reads_texts, other.reads, other.reads_texts) == ("projected", True, "last map", False)
    with pytest.raises(BadInputError, match="Name data sets of the study with --also"):
        study.analyze("robustness", encoders=["nfrn50"], on="dev")
    with pytest.raises(ct.errors.UnknownNameError, match="test-night"):
        study.analyze("robustness", encoders=["nfrn50"], on="dev", also="test-nigth")
