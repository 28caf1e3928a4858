"""Probes equal scikit-learn's, read what is there and no more, and attributes are read on classes never seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from concepttransfer.analyses._awa_errors import estimates as est
from concepttransfer.analyses._linear_probe import attributes as attr
from concepttransfer.analyses._linear_probe import claims
from concepttransfer.analyses._linear_probe.classes import Pictures, drawn
from concepttransfer.analyses._linear_probe.precision import average_precision, influence
from concepttransfer.analyses.linear_probe import LinearProbe, linear_probe
from concepttransfer.concepts import Concept, ConceptSet
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError
from concepttransfer.features import Features
from concepttransfer.probing import STRENGTHS, accuracy_of, fit_probes, sweep
from concepttransfer.probing import probes as probes_of
from concepttransfer.probing.splits import Part, Splits, split_rows
from concepttransfer.result import Result
from concepttransfer.statistics.resampling import Ratio, resample

N_CLASSES, N_ATTRIBUTES, DIM = 20, 12, 16


# The solver


def blobs(n=600, dim=20, classes=6, key=0, spread=0.8):
    rng = np.random.default_rng(key)
    y = rng.integers(0, classes, n)
    x = spread * rng.normal(size=(classes, dim))[y] + rng.normal(size=(n, dim)) * np.logspace(0.5, -1, dim) + 2
    return x, y


def objective(x, y, weights, bias, strength):
    logits = x @ weights + bias
    top = logits.max(1, keepdims=True)
    loss = np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(y)), y]
    return loss.sum() + strength / 2 * (weights**2).sum()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_objective_and_the_accuracy_are_those_of_scikit_learn(dtype):
    from sklearn.linear_model import LogisticRegression

    (x, y), strengths = blobs(), np.logspace(-1, 4, 6)
    train, test = slice(0, 400), slice(400, None)
    probes = fit_probes(x[train], y[train], strengths, dtype=dtype)
    for k, strength in enumerate(strengths):
        reference = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=10_000).fit(x[train], y[train])
        ours = objective(x[train], y[train], probes.weights[k], probes.biases[k], strength)
        wanted = objective(x[train], y[train], reference.coef_.T, reference.intercept_, strength)
        assert ours == pytest.approx(wanted, rel=1e-4)
        assert probes.objectives[k, 0] == pytest.approx(ours, rel=1e-4)
        said = probes.scores(x[test])[k].argmax(1)
        assert abs((said == y[test]).mean() - reference.score(x[test], y[test])) <= 0.002 + 1e-12


def test_a_fit_of_large_features_ends_no_higher_than_scikit_learn_does():
    """With the defaults of both, from strengths where every row is fitted to those where none is."""
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(5000, 80, 8, spread=0.2)
    train, test, strengths = slice(0, 4000), slice(4000, None), np.logspace(-5, 5, 6)
    assert x[train].size > probes_of.SMALL
    probes = fit_probes(x[train], y[train], strengths)
    assert probes.n_steps < 20
    for k, strength in enumerate(strengths):
        usual = LogisticRegression(C=1 / strength, max_iter=1000).fit(x[train], y[train])
        ours = objective(x[train], y[train], probes.weights[k], probes.biases[k], strength)
        theirs = objective(x[train], y[train], usual.coef_.T, usual.intercept_, strength)
        assert ours <= (1 + 1e-4) * theirs
        said = (probes.scores(x[test])[k].argmax(1) == y[test]).mean()
        if ours >= (1 - 1e-4) * theirs:  # else scikit-learn stopped early, and its probe is another one
            assert abs(said - usual.score(x[test], y[test])) <= 0.002


def test_where_a_fit_begins_changes_nothing_but_its_steps(monkeypatch):
    x, y = blobs(900, 40, 5, spread=0.5)
    strengths = np.logspace(-3, 3, 4)
    wanted = fit_probes(x, y, strengths)
    monkeypatch.setattr("concepttransfer.probing.start.RIDGES", (1.0,))
    monkeypatch.setattr("concepttransfer.probing.start.SCALES", (0.0, 1.0))
    made = fit_probes(x, y, strengths)
    assert made.objectives == pytest.approx(wanted.objectives, rel=1e-4)
    assert made.n_steps > wanted.n_steps


def test_many_binary_probes_are_those_of_scikit_learn_one_by_one():
    from sklearn.linear_model import LogisticRegression

    x, y = blobs()
    targets = np.stack([y < 1, y % 2 == 0, x[:, 0] > 3], axis=1).astype(int)
    strengths = np.array([0.1, 30.0])
    probes = fit_probes(x, targets, strengths)
    for k, strength in enumerate(strengths):
        for m in range(3):
            one = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=10_000).fit(x, targets[:, m])
            wanted = one.decision_function(x)
            loss = np.logaddexp(0, wanted) - targets[:, m] * wanted
            assert probes.objectives[k, m] == pytest.approx(loss.sum() + strength / 2 * (one.coef_**2).sum(), rel=1e-4)
            assert probes.scores(x)[k][:, m] == pytest.approx(wanted, rel=1e-3, abs=0.02)


def test_more_dimensions_than_pictures():
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(40, 90, 3)
    probes = fit_probes(x, y, [0.5, 50.0])
    for k, strength in enumerate((0.5, 50.0)):
        one = LogisticRegression(C=1 / strength, tol=1e-9, max_iter=10_000).fit(x, y)
        assert probes.objectives[k, 0] == pytest.approx(
            objective(x, y, one.coef_.T, one.intercept_, strength), rel=1e-4
        )


def test_rotation_shift_order_and_constant_columns_change_nothing():
    x, y = blobs()
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    order = rng.permutation(len(x))
    wanted = fit_probes(x, y, [1.0, 100.0])
    for changed, codes in ((x @ turn, y), (x + 7, y), (x[order], y[order]), (np.c_[x, np.full(len(x), 3.0)], y)):
        made = fit_probes(changed, codes, [1.0, 100.0])
        assert made.objectives == pytest.approx(wanted.objectives, rel=1e-6)
    assert fit_probes(x @ turn, y, [1.0]).scores(x @ turn)[0] == pytest.approx(wanted.scores(x)[0], abs=1e-2)
    everything_equal = fit_probes(np.full((30, 4), 2.0), np.arange(30) % 3, [1.0])
    assert np.abs(everything_equal.weights).max() == 0
    assert everything_equal.objectives[0, 0] == pytest.approx(30 * np.log(3))


def test_a_warm_start_ends_where_a_cold_one_does():
    x, y = blobs()
    cold = fit_probes(x, y, [0.3, 3.0])
    warm = fit_probes(x, y, [0.3, 3.0], start=fit_probes(x, y, [1.0]))
    assert warm.objectives == pytest.approx(cold.objectives, rel=1e-5)
    assert fit_probes(x, y, [1.0], start=fit_probes(x, y, [1.0])).n_steps < 8


def test_the_sweep_finds_a_peak_of_the_whole_grid():
    def score(truth):
        best = accuracy_of(truth)
        return lambda logits: best(logits) - 1e-3 * np.abs(np.log(np.abs(logits).mean((1, 2)) + 1e-9))

    x, y = blobs(300, spread=0.4)
    assert (len(STRENGTHS), STRENGTHS[0], STRENGTHS[-1]) == (97, pytest.approx(1e-6), pytest.approx(1e6))
    found = sweep(x[:200], y[:200], x[200:], score(y[200:]))
    assert set(np.logspace(-6, 6, 7).round(9)) <= set(found.tried.round(9))
    assert found.scores[list(found.tried).index(found.strength)] == found.scores.max()
    spacing = np.diff(np.log10(found.tried))
    assert spacing.min() == pytest.approx(1 / 8)
    whole = score(y[200:])(fit_probes(x[:200], y[:200], STRENGTHS[::4]).scores(x[200:]))
    assert found.scores.max() >= whole.max() - 0.02


@pytest.mark.parametrize(
    ("x", "y", "strengths", "error", "words"),
    [
        (np.array([[1.0, np.nan], [0, 1]]), [0, 1], [1.0], BadInputError, "Row 0"),
        (np.eye(3), [1, 1, 1], [1.0], BadInputError, "two or more"),
        (np.eye(3), [0, 1], [1.0], ShapeError, r"\[n, dim\]"),
        (np.eye(3), [[0], [2], [1]], [1.0], BadInputError, "0 or 1"),
        (np.eye(3), [0, 1, 2], [0.0], BadInputError, "above 0"),
        (np.eye(3), [0, 1, 2], [], BadInputError, "above 0"),
    ],
)
def test_what_no_probe_can_be_fitted_to_is_refused(x, y, strengths, error, words):
    with pytest.raises(error, match=words):
        fit_probes(x, y, strengths)


# Average precision


def test_average_precision_is_scikit_learns_ties_included():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    scores = np.c_[rng.normal(size=(80, 3)), rng.integers(0, 4, (80, 3)), np.zeros((80, 1))]
    truth = rng.random((80, 7)) < 0.3
    wanted = [average_precision_score(truth[:, m], scores[:, m]) for m in range(7)]
    assert average_precision(scores, truth) == pytest.approx(wanted)
    assert np.isnan(average_precision(scores[:, :2], np.c_[np.ones(80), np.zeros(80)].astype(bool))).all()


def test_influence_is_the_derivative_by_a_pictures_weight():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(1)
    scores = np.c_[rng.normal(size=40), rng.integers(0, 5, 40)].astype(float)
    truth = rng.random((40, 2)) < 0.4
    _, slopes = influence(scores, truth)
    assert slopes.sum(0) == pytest.approx(0, abs=1e-12)
    for m in range(2):
        for row in (0, 7, 23):
            weights = np.ones((2, 40))
            weights[:, row] += (1e-5, -1e-5)
            up, down = (average_precision_score(truth[:, m], scores[:, m], sample_weight=w) for w in weights)
            assert slopes[row, m] == pytest.approx((up - down) / 2e-5, abs=1e-7)


# The analysis


def concepts(rows, key=0, n=N_CLASSES, m=N_ATTRIBUTES):
    """Plain classes with random attributes: each of `m` is had by about half of them."""
    names = [f"thing {i}" for i in range(n)]
    has = np.random.default_rng([8, key]).permuted(np.tile(np.arange(n) % 2, (m, 1)), axis=1).T
    table = pd.DataFrame(has, names, [f"attribute {i}" for i in range(m)]) if m else None
    things = tuple(Concept(name, "entity.n.01", (name,)) for name in names)
    return ConceptSet("things", things, {row: row.rsplit("/", 1)[0] for row in rows}, table)


def row_ids(part, per_class, n=N_CLASSES):
    return tuple(f"thing {c}/{part}{i}" for c in range(n) for i in range(per_class))


def features(rows, values):
    return Features(None, f"key-{len(rows)}", values.astype(np.float32)[:, None], tuple(rows), "m", "e", "s")


def made(means, noise, key, encoder="beit", sizes=(20, 6, 10)):
    """Splits of pictures that scatter about their class's mean, `means` [n_classes, dim]."""
    rng = np.random.default_rng([9, key, len(encoder)])
    parts, truth = [], {}
    for part, size in zip(("train", "validation", "test"), sizes, strict=True):
        rows = row_ids(part, size, len(means))
        values = np.repeat(means, size, axis=0)
        values = values + noise * rng.normal(size=values.shape)
        parts.append(Part(features(rows, values), rows))
        truth |= {row: row.rsplit("/", 1)[0] for row in rows}
    return Splits(encoder, "animals", "other", *parts, truth, "by hand")


def of_attributes(has, key=0):
    """Class means from which every attribute can be read linearly, and little else."""
    rng = np.random.default_rng([10, key])
    return has @ rng.normal(size=(has.shape[1], DIM)) + 0.1 * rng.normal(size=(len(has), DIM))


@pytest.fixture(scope="module")
def things():
    return concepts(row_ids("test", 10))


@pytest.fixture(scope="module")
def probed(things):
    good = made(of_attributes(things.attributes.to_numpy()), 0.5, 0)
    bad = made(np.zeros((N_CLASSES, DIM)), 1.0, 0, "beit-random")
    return linear_probe([bad, good], things, n_draws=2, n_resamples=400)


def test_attributes_that_features_are_made_of_are_read_on_classes_never_seen(probed):
    for setting in (attr.FOLDS, attr.SEEN):
        assert probed.claim("beit", setting)["value"] > 0.9
    selective = probed.claim("beit", attr.FOLDS, against=claims.CONTROL)
    assert selective["low"] > 0.2
    assert selective["q"] < 0.05
    assert probed.claim("beit", claims.ACCURACY)["value"] > 0.9


def test_a_class_probe_in_disguise_reads_its_control_task_too(probed):
    seen, held = (probed.claim("beit", s + claims.BY_CONTROL)["value"] for s in (attr.SEEN, attr.FOLDS))
    assert seen > 0.85
    assert held < 0.75


def test_noise_reads_nothing(probed):
    for measure in (claims.ACCURACY, attr.FOLDS, attr.SEEN):
        above = probed.claim("beit-random", measure, against=est.CHANCE)
        assert above["low"] <= 0 <= above["high"], measure
    selective = probed.claim("beit-random", attr.FOLDS, against=claims.CONTROL)
    assert selective["low"] <= 0 <= selective["high"]


def test_the_random_twin_stands_second_and_is_beaten(probed):
    pair = probed.claim("beit", claims.ACCURACY, against="beit-random")
    a, b = (probed.claim(x, claims.ACCURACY) for x in ("beit", "beit-random"))
    assert pair["value"] == pytest.approx(a["value"] - b["value"])
    assert pair["low"] > 0
    assert "beit" not in set(probed.estimates.loc[probed.estimates["system"] == "beit-random", "against"])


def test_levels_are_means_of_what_the_result_holds(probed):
    for number, encoder in enumerate(probed.encoders):
        mine = probed.table[probed.table["encoder"] == encoder]
        assert probed.claim(encoder, claims.ACCURACY)["value"] == pytest.approx(mine["right"].mean())
        for at, setting in enumerate(probed.settings):
            for array, name in (("ap", setting), ("ap_control", setting + claims.BY_CONTROL)):
                level, above = (probed.claim(encoder, name, against=x) for x in (None, est.CHANCE))
                assert level["value"] == pytest.approx(np.nanmean(probed.arrays[array][number, at]))
                assert above["value"] == pytest.approx(level["value"] - level["chance"])
    table = probed.attributes()
    assert len(table) == 2 * 2 * N_ATTRIBUTES
    assert table["ap"].between(0, 1).all()


def test_more_shots_read_more(probed):
    curve = [probed.claim("beit", claims.few(s))["value"] for s in (1, 4, 16)]
    assert curve == sorted(curve)
    assert probed.claim("beit", claims.few(1))["n_seeds"] == 2


def test_it_is_saved_drawn_and_said(probed, tmp_path):
    assert Result.load(probed.save(tmp_path / "r")) == probed
    assert "classes held out" in probed.summary()
    assert list(probed.headline()["encoder"]) == ["beit-random", "beit"]
    for name in probed.figures:
        figure = probed.plot(name)
        assert any("20 classes" in text for text in texts_of(figure)), name
    assert isinstance(probed, LinearProbe)


def texts_of(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def test_order_of_rows_and_rotation_change_no_prediction(things):
    one = made(of_attributes(things.attributes.to_numpy()), 1.5, 3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, DIM)))[0]

    def changed(part, order):
        rows = [part.row_ids[i] for i in order]
        return Part(features(rows, part.features.values[order, 0] @ turn), tuple(rows))

    rng = np.random.default_rng(1)
    parts = {name: changed(getattr(one, name), rng.permutation(len(getattr(one, name)))) for name in ("train", "test")}
    parts["validation"] = changed(one.validation, np.arange(len(one.validation)))
    other = dataclasses.replace(one, **parts)
    bare = dataclasses.replace(things, attributes=None)
    a, b = (linear_probe([x], bare, n_draws=0, n_resamples=20).table.set_index("row_id") for x in (one, other))
    assert (a["predicted"] == b["predicted"].reindex(a.index)).mean() > 0.99


def test_concepts_without_attributes_are_probed_for_classes_only(things):
    one = made(of_attributes(things.attributes.to_numpy()), 0.5, 0)
    result = linear_probe([one], dataclasses.replace(things, attributes=None), n_draws=0, n_resamples=20)
    assert result.settings == ()
    assert set(result.estimates["measure"]) == {claims.ACCURACY}
    for name in result.figures:
        result.plot(name)


def test_seeds_of_a_tuned_encoder_are_averaged(things):
    means = of_attributes(things.attributes.to_numpy())
    two = [dataclasses.replace(made(means, 2.0, key), seed=key) for key in (0, 1)]
    result = linear_probe(two, dataclasses.replace(things, attributes=None), n_draws=0, n_resamples=50)
    claim = result.claim("beit", claims.ACCURACY)
    assert claim["n_seeds"] == 2
    assert claim["value"] == pytest.approx(result.table.groupby("seed")["right"].mean().mean())


def test_the_control_task_keeps_what_each_fold_has(things):
    flags = things.attributes.to_numpy().astype(bool)
    setting = attr.settings(np.arange(N_CLASSES), N_CLASSES, None, 0)[0]
    control = attr.control_task(flags, setting.folds, np.random.default_rng(0))
    for fold in range(attr.N_FOLDS):
        here = setting.folds == fold
        assert (control[here].sum(0) == flags[here].sum(0)).all()
    assert (control != flags).any()


def test_awa2s_test_classes_are_held_out_where_the_animals_are_awa2s():
    from concepttransfer.analyses.linear_probe import _standard
    from concepttransfer.concepts.sources import animals
    from concepttransfer.manifest import Manifest, Row

    known = animals(Manifest("one", (Row("x", labels={"class": "lion"}),)))
    standard = _standard(known)
    assert standard.sum() == 10
    names = [s.name for s in attr.settings(np.arange(50), 50, standard, 0)]
    assert names == [attr.FOLDS, attr.STANDARD, attr.SEEN]
    held = attr.settings(np.arange(50), 50, standard, 0)[1]
    assert set(np.flatnonzero(held.folds == 0)) == set(np.flatnonzero(standard))


# Bad input


def test_few_classes_hold_none_out_and_it_is_said():
    few = concepts(row_ids("test", 10, 4), n=4, m=3)
    result = linear_probe([made(of_attributes(few.attributes.to_numpy()), 0.5, 0)], few, n_draws=0, n_resamples=20)
    assert result.settings == (attr.SEEN,)
    assert "attribute probes are class probes here" in result.summary()


def test_more_classes_than_pictures_and_a_class_without_training_pictures(things):
    means = of_attributes(things.attributes.to_numpy())
    one = made(means, 0.3, 0, sizes=(1, 0, 1))
    lone = one.train.row_ids[0]
    one = dataclasses.replace(one, train=Part(one.train.features, one.train.row_ids[1:]))
    result = linear_probe([one], things, n_draws=1, n_resamples=20)
    assert "1 classes have no training picture (thing 0)" in result.summary()
    assert not result.table.loc[result.table["class"] == lone.rsplit("/", 1)[0], "right"].any()


def test_what_cannot_be_probed_is_told(things):
    good = made(of_attributes(things.attributes.to_numpy()), 0.5, 0)
    values = good.test.features.values.copy()
    values[3] = np.nan
    broken = Part(features(good.test.row_ids, values[:, 0]), good.test.row_ids)
    with pytest.raises(BadInputError, match="no number"):
        linear_probe([dataclasses.replace(good, test=broken)], things)
    with pytest.raises(EmptyDataError, match="--encoder"):
        linear_probe([], things)
    with pytest.raises(EmptyDataError, match="No train picture"):
        linear_probe([dataclasses.replace(good, truth={row: good.truth[row] for row in good.test.row_ids})], things)
    alone = Part(good.train.features, good.train.row_ids[:20])
    with pytest.raises(BadInputError, match="of one class, `thing 0`"):
        linear_probe([dataclasses.replace(good, train=alone)], things)
    fewer = dataclasses.replace(good, encoder="clip", test=Part(good.test.features, good.test.row_ids[1:]))
    with pytest.raises(MismatchError, match="different pictures"):
        linear_probe([good, fewer], things)
    with pytest.raises(BadInputError, match="both train and test"):
        dataclasses.replace(good, test=good.train, validation=good.validation)


def changed(splits, change):
    """The same splits with the values [n, dim] of every part changed."""

    def of(part):
        return Part(features(part.row_ids, change(part.features.values[:, 0].copy())), part.row_ids)

    parts = {name: of(getattr(splits, name)) for name in ("train", "validation", "test")}
    return dataclasses.replace(splits, **parts)


def test_constant_columns_change_nothing_and_features_that_say_nothing_read_chance(things):
    plain = dataclasses.replace(things, attributes=None)
    good = made(of_attributes(things.attributes.to_numpy()), 2.0, 0)
    wanted = linear_probe([good], plain, n_draws=0, n_resamples=20).table
    widened = changed(good, lambda x: np.c_[x, np.full((len(x), 3), 7.0)])
    assert (linear_probe([widened], plain, n_draws=0, n_resamples=20).table["predicted"] == wanted["predicted"]).all()
    same = linear_probe([changed(good, np.ones_like)], plain, n_draws=0, n_resamples=20)
    claim = same.claim("beit", claims.ACCURACY)
    assert (claim["value"], claim["chance"]) == pytest.approx((1 / N_CLASSES, 1 / N_CLASSES))


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_value_that_is_no_number_is_told_with_its_picture(things, part):
    good = made(of_attributes(things.attributes.to_numpy()), 0.5, 0)
    values = getattr(good, part).features.values[:, 0].copy()
    values[3, 0] = np.inf
    rows = getattr(good, part).row_ids
    with pytest.raises(BadInputError, match=f"`{rows[3]}`.*no number"):
        linear_probe([dataclasses.replace(good, **{part: Part(features(rows, values), rows)})], things)


def test_one_test_picture_has_no_interval(things):
    good = made(of_attributes(things.attributes.to_numpy()), 0.5, 0)
    one = dataclasses.replace(good, test=Part(good.test.features, good.test.row_ids[:1]))
    result = linear_probe([one], things, n_draws=0, n_resamples=20)
    claim = result.claim("beit", claims.ACCURACY)
    assert (claim["n"], claim["value"]) == (1, claim["chance"])
    for name in LinearProbe.figures:
        result.plot(name)


def test_splits_are_by_id_and_give_each_part_something():
    truth = {row: row.rsplit("/", 1)[0] for row in row_ids("x", 10, 3)} | {"a": "one", "b": "two", "c": "two"}
    parts = split_rows(truth)
    assert [len(part) for part in parts] == [18 + 2, 6, 6 + 1]
    assert sorted(row for part in parts for row in part) == sorted(truth)
    shuffled = dict(sorted(truth.items(), reverse=True))
    assert [set(part) for part in split_rows(shuffled)] == [set(part) for part in parts]
    assert set(split_rows(truth, seed=1)[0]) != set(parts[0])


def test_few_are_drawn_of_each_class():
    codes = np.repeat([0, 1, 5], (3, 9, 2))
    rows = drawn(codes, 3, np.random.default_rng(0))
    assert np.bincount(codes[rows]).tolist() == [3, 3, 0, 0, 0, 2]


# Unrelated features, and features whose truth is known


def held(n, monkeypatch, *, alike):
    """The share of intervals that hold nought for scores drawn for each picture, or much the same for a class's."""
    hits = {}
    y = np.repeat(np.arange(N_CLASSES), 5)
    for seed in range(n):
        rng = np.random.default_rng([11, seed])
        flags = concepts((), seed).attributes.to_numpy().astype(bool)
        setting = attr.settings(np.arange(N_CLASSES), N_CLASSES, None, seed)[0]
        said = rng.normal(size=(N_CLASSES, DIM))[y] * (3 if alike else 0) + rng.normal(size=(len(y), DIM))
        folds = [np.flatnonzero(setting.folds[y] == fold) for fold in setting.tested]

        def drawn_scores(*_, said=said, folds=folds, rng=rng):
            size = DIM, N_ATTRIBUTES
            return [(rows, said[rows] @ rng.normal(size=size), np.ones(N_ATTRIBUTES, dtype=bool)) for rows in folds]

        monkeypatch.setattr(attr, "_folds", drawn_scores)
        empty = np.zeros((0, 1))
        pictures = Pictures(None, empty, empty, empty, y[:0], y[:0], y, ())
        tasks = flags, attr.control_task(flags, setting.folds, rng)
        both = tuple(attr.probe_attributes(pictures, task, setting) for task in tasks)
        named = rng.integers(0, N_CLASSES, (1, len(y)))
        one = claims.Probed("a", claims.naming("a", y, named, N_CLASSES), {}, [{setting.name: both}])
        for claim in claims.claims([one], n_resamples=200, seed=seed):
            if claim.group == CLASSES and (claim.against == est.CHANCE or claim.measure.endswith(est.ABOVE)):
                e = claim.estimate
                hits.setdefault((claim.measure, claim.against), []).append(e.low <= 0 <= e.high)
    return {key: np.mean(each) for key, each in hits.items()}


CLASSES = est.GROUPS["classes"]


@pytest.mark.parametrize("alike", [False, True])
def test_scores_that_have_nothing_to_do_with_attributes_read_chance(monkeypatch, alike):
    """Also where they tell all classes apart: the knowledge of classes is not that of attributes."""
    shares = held(100, monkeypatch, alike=alike)
    assert set(shares) >= {(claims.ACCURACY, est.CHANCE), (attr.FOLDS + est.ABOVE, claims.CONTROL)}
    assert min(shares.values()) >= 0.89, shares


def test_intervals_of_average_precision_hold_the_truth():
    """Scores whose average precision over all classes like these is known, by a large sample of them."""

    def sample(rng, n_classes, size=6):
        truth = np.arange(n_classes) % 3 == 0
        scores = 1.0 * truth + rng.normal(size=n_classes)
        return np.repeat(truth, size)[:, None], (np.repeat(scores, size) + rng.normal(size=n_classes * size))[:, None]

    truth, scores = sample(np.random.default_rng(0), 30_000)
    wanted = average_precision(scores, truth)[0]
    hits = []
    for seed in range(100):
        truth, scores = sample(np.random.default_rng([1, seed]), 40)
        value, slopes = influence(scores, truth)
        each = (value + len(truth) * slopes)[:, 0][None]
        (drawn_anew,) = resample([Ratio(each, np.ones_like(each), 0, 1)], np.repeat(np.arange(40), 6), n_resamples=300)
        low, high = drawn_anew.interval()
        hits.append(low <= wanted <= high)
    assert np.mean(hits) >= 0.89
