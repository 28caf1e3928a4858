from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.linear_model import LinearRegression, Ridge

from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError
from concepttransfer.feature_adapters import FeatureAdapter, FeatureAdapterSpec, fit_adapter

N, DIM = 200, 6
KINDS = {
    "none": {"kind": "none"},
    "noise": {"kind": "noise", "noise": 0.08},
    "mean_shift": {"kind": "mean_shift", "paired": "coco", "noise": 0.08},
    "negated_mean": {"kind": "negated_mean", "paired": "coco", "noise": 0.08},
    "random_shift": {"kind": "random_shift", "magnitude": 0.5, "noise": 0.08},
    "linear": {"kind": "linear", "paired": "coco", "noise": 0.08, "ridge": 0.0},
    "covariance": {"kind": "covariance", "paired": "coco", "noise": 0.08},
}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def pairs():
    """Pictures and texts [N, DIM] that share a part, stand apart, and are of any length."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((N, DIM))
    pictures = shared + 0.3 * rng.standard_normal((N, DIM)) + 2 * rng.standard_normal(DIM)
    texts = shared + 0.3 * rng.standard_normal((N, DIM)) - 2 * rng.standard_normal(DIM)
    return pictures * rng.uniform(1, 5, (N, 1)), texts * rng.uniform(1, 5, (N, 1))


def fitted(pairs, fit_seed=0, **settings):
    return fit_adapter(FeatureAdapterSpec(**settings), *pairs, fit_seed)


def moved(adapter, texts, draws=None):
    return adapter(torch.as_tensor(texts, dtype=torch.float32)[:, None], draws)[:, 0].double().numpy()


def test_without_draws_each_adapter_does_what_close_says(pairs):
    pictures, texts = pairs
    difference = (unit(pictures) - unit(texts)).mean(0)
    line = LinearRegression().fit(unit(texts), unit(pictures))
    expected = {
        "none": unit(texts),
        "noise": unit(texts),
        "mean_shift": unit(unit(texts) + difference),
        "negated_mean": unit(unit(texts) - difference),
        "linear": unit(line.predict(unit(texts))),
        "covariance": unit(unit(texts) + difference),
    }
    for kind, wanted in expected.items():
        np.testing.assert_allclose(moved(fitted(pairs, **KINDS[kind]), texts), wanted, atol=1e-5, err_msg=kind)


def test_a_ridge_is_that_of_scikit_learn(pairs):
    pictures, texts = pairs
    ridge = 0.1
    penalty = ridge * N * unit(texts).var(0).mean()
    reference = Ridge(alpha=penalty).fit(unit(texts), unit(pictures)).predict(unit(texts))
    made = fitted(pairs, kind="linear", paired="coco", ridge=ridge)
    np.testing.assert_allclose(moved(made, texts), unit(reference), atol=1e-5)


def test_a_shift_can_be_given_its_length(pairs):
    pictures, texts = pairs
    difference = (unit(pictures) - unit(texts)).mean(0)
    made = fitted(pairs, kind="mean_shift", paired="coco", magnitude=0.2)
    np.testing.assert_allclose(moved(made, texts), unit(unit(texts) + 0.2 * unit(difference)), atol=1e-5)


def test_a_random_shift_has_its_length_and_a_direction_of_its_own_seeds(pairs):
    shifts = [
        fitted(pairs, seed, kind="random_shift", magnitude=0.5, seed=own).shift
        for own, seed in [(0, 0), (0, 1), (1, 0)]
    ]
    for shift in shifts:
        assert shift.norm().item() == pytest.approx(0.5)
    for one, other in itertools.combinations(shifts, 2):
        assert not torch.allclose(one, other, atol=0.05)
    assert torch.equal(shifts[0], fitted(pairs, 0, kind="random_shift", magnitude=0.5).shift)


def test_noise_has_the_deviation_asked_for_and_then_length_one():
    text = np.zeros((1, 40))
    text[0, 0] = 7.0
    adapter = FeatureAdapter(FeatureAdapterSpec(kind="noise", noise=0.08))
    made = moved(adapter, np.repeat(text, 3000, 0), list(range(3000)))
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    before = made / made[:, :1]  # the first entry was 1 + noise: the ratio of the others to it is noise / (1 + noise)
    assert before[:, 1:].std() == pytest.approx(0.08, rel=0.05)
    assert abs(before[:, 1:].mean()) < 0.002


def test_drawn_noise_has_the_covariance_of_the_differences_times_the_square_of_the_scale(pairs):
    pictures, texts = pairs
    wanted = np.cov((unit(pictures) - unit(texts)).T)
    adapter = fitted(pairs, kind="covariance", paired="coco", scale=2.0)
    zero = torch.zeros(20000, 1, DIM)
    drawn = adapter._noise(zero, list(range(20000)))[:, 0].double().numpy()
    np.testing.assert_allclose(np.cov(drawn.T), 4 * wanted, atol=0.04 * 4 * np.abs(wanted).max())
    as_published = fitted(pairs, kind="covariance", paired="coco")
    torch.testing.assert_close(as_published.factor / 3, adapter.factor / 2)


@pytest.mark.parametrize("kind", ["linear", "covariance"])
def test_fewer_pairs_than_entries_are_no_obstacle(kind):
    rng = np.random.default_rng(1)
    few = rng.standard_normal((4, 30)), rng.standard_normal((4, 30))
    made = moved(fitted(few, **KINDS[kind]), few[1], [1, 2, 3, 4])
    assert np.isfinite(made).all()
    if kind == "linear":  # four texts through four pictures: a line meets them all
        np.testing.assert_allclose(moved(fitted(few, **KINDS[kind]), few[1]), unit(few[0]), atol=1e-4)
    else:
        assert np.linalg.matrix_rank(fitted(few, **KINDS[kind]).factor.numpy(), tol=1e-4) == 3


@pytest.mark.parametrize("kind", ["noise", "covariance", "random_shift"])
def test_noise_follows_the_draws_whatever_the_batch(pairs, kind):
    adapter, texts = fitted(pairs, **KINDS[kind]), pairs[1][:5]
    whole = moved(adapter, texts, [11, 12, 13, 14, 15])
    np.testing.assert_array_equal(whole[3:], moved(adapter, texts[3:], [14, 15]))
    again = moved(adapter, np.repeat(texts[:1], 2, 0), [11, 12])
    np.testing.assert_array_equal(again[0], whole[0])
    assert not np.allclose(again[0], again[1], atol=1e-3)


def test_noise_is_not_that_of_which_dropout_is_made():
    draw = 123
    plain = torch.empty(DIM).normal_(generator=torch.Generator().manual_seed(draw))
    adapter = FeatureAdapter(FeatureAdapterSpec(kind="noise", noise=1.0))
    assert not torch.allclose(adapter._noise(torch.zeros(1, 1, DIM), [draw])[0, 0], plain, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_came_in_has_length_one_and_its_scale_does_not_matter(pairs, kind):
    adapter, texts = fitted(pairs, **KINDS[kind]), pairs[1][:4]
    made = moved(adapter, texts, [1, 2, 3, 4])
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(moved(adapter, texts * 9, [1, 2, 3, 4]), made, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_comes_back(pairs, kind):
    made = fitted(pairs, **KINDS[kind])
    back = FeatureAdapter.load(made.spec, made.state_dict())
    texts, draws = pairs[1][:3], [5, 6, 7]
    np.testing.assert_array_equal(moved(back, texts, draws), moved(made, texts, draws))


def test_the_shift_that_is_fitted_brings_texts_to_the_pictures(pairs):
    pictures, texts = pairs
    seen = unit(pictures)

    def matched(kind):
        return (moved(fitted(pairs, **KINDS[kind]), texts) * seen).sum(1).mean()

    assert matched("negated_mean") < matched("none") < matched("mean_shift") < matched("linear")


def test_an_adapter_fitted_on_other_features_is_refused(pairs):
    made = fit_adapter(FeatureAdapterSpec(**KINDS["linear"]), *pairs, space="clip-a")
    made.check("clip-a", DIM)
    with pytest.raises(MismatchError, match=r"fitted on clip-a \(6 wide\); these features are of clip-b \(6 wide\)"):
        made.check("clip-b", DIM)
    with pytest.raises(MismatchError, match=r"\(6 wide\); .* \(8 wide\). Fit it on pictures and texts of the same enc"):
        made(torch.zeros(2, 1, 8))
    with pytest.raises(BadInputError, match=r"`mean_shift` holds `shift` of one width, not shift .*Fit it again"):
        FeatureAdapter.load(FeatureAdapterSpec(**KINDS["mean_shift"]), made.state_dict())


def test_what_cannot_be_fitted_is_said(pairs):
    linear = FeatureAdapterSpec(**KINDS["linear"])
    with pytest.raises(BadInputError, match="fitted on pictures with their texts; none came"):
        fit_adapter(linear, None, None)
    with pytest.raises(EmptyDataError, match="at least two; there are 1"):
        fit_adapter(linear, pairs[0][:1], pairs[1][:1])
    with pytest.raises(ShapeError, match=r"row by row; these are \[200, 6\] and \[199, 6\]"):
        fit_adapter(linear, pairs[0], pairs[1][1:])
    broken = pairs[1].copy()
    broken[3, 2] = np.nan
    with pytest.raises(BadInputError, match="not finite"):
        fit_adapter(linear, pairs[0], broken)
    with pytest.raises(ShapeError, match=r"\[texts, tokens, dim\]; these are \[3, 6\]"):
        fitted(pairs, **KINDS["noise"])(torch.zeros(3, 6))
    with pytest.raises(ShapeError, match="3 texts need as many draws; these are 2"):
        fitted(pairs, **KINDS["noise"])(torch.zeros(3, 1, 6), [1, 2])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kind": "noise"}, "needs `noise:`"),
        ({"noise": 0.1}, "Say `kind: noise`"),
        ({"kind": "linear"}, "as `paired:`"),
        ({"kind": "noise", "noise": 0.1, "paired": "coco"}, "Leave `paired: coco` out"),
        ({"kind": "random_shift"}, "needs `magnitude:`"),
        ({"kind": "linear", "paired": "coco", "magnitude": 1}, "`linear` has none"),
        ({"kind": "noise", "noise": 0.1, "scale": 3}, "draws nothing"),
        ({"kind": "shift"}, "mean_shift"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        FeatureAdapterSpec(**settings)


def test_defaults_are_in_no_identity():
    assert FeatureAdapterSpec(kind="noise", noise=0.08).identity() == {"kind": "noise", "noise": 0.08}
