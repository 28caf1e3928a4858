"""Similarities equal their naive formulas; unrelated features score chance, related ones what they were made to."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, spatial, stats

import concepttransfer as ct
from concepttransfer.analyses._similarity import chance
from concepttransfer.analyses._similarity import claims as c
from concepttransfer.analyses._similarity import measures as m
from concepttransfer.analyses.similarity import Similarity, similarity
from concepttransfer.concepts.class_names import ClassNames, word_vectors_of
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError
from concepttransfer.features import Features
from concepttransfer.result import Result
from concepttransfer.stitching import StitchingLoss, StitchingLosses, stitching_losses

FUNCTIONS = {m.CKA: m.debiased_cka, m.RSA: m.rsa, m.NEIGHBOURS: m.mutual_neighbours, m.PROCRUSTES: m.procrustes}


def related(seed, n=60, p=8, q=12, share=0.5):
    """Two sets of features that share a part."""
    rng = np.random.default_rng([9, seed])
    z = rng.normal(size=(n, p))
    return z, share * z @ rng.normal(size=(p, q)) + rng.normal(size=(n, q)) * (1 - share) * p**0.5


def mixed(seed, share, n=200, p=16):
    """Y = sqrt(share) X + sqrt(1 - share) noise: linear CKA is `share` in expectation."""
    rng = np.random.default_rng([8, seed])
    x = rng.normal(size=(n, p))
    return x, share**0.5 * x + (1 - share) ** 0.5 * rng.normal(size=(n, p))


def features(values, encoder="a", ids=None, manifest="manifest", **more):
    values = np.asarray(values, dtype=np.float32)
    values = values[:, None] if values.ndim == 2 else values
    ids = tuple(ids or (f"r{i}" for i in range(len(values))))
    known = {"encoder": encoder, "on": "animals", "study": "other"} | more
    return Features(None, f"key-{encoder}", values, ids, manifest, f"{encoder}@x", encoder, **known)


def words(n_classes, n, vectors, classes=None):
    names = tuple(f"c{i}" for i in range(n_classes))
    truth = {f"r{i}": names[i % n_classes if classes is None else classes[i]] for i in range(n)}
    return ClassNames(names, np.asarray(vectors, dtype=np.float32), truth, "words@1", "key")


def test_debiased_cka_is_song_2012_equation_5():
    def hsic(k, l):
        n = len(k)
        k, l, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), np.ones(n)
        total = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
        return (total - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))

    x, y = related(0)
    k, l = x @ x.T, y @ y.T
    assert m.debiased_cka(x, y) == pytest.approx(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))
    assert m.debiased_cka(x[:4], y[:4]) == pytest.approx(
        hsic(k[:4, :4], l[:4, :4]) / np.sqrt(hsic(k[:4, :4], k[:4, :4]) * hsic(l[:4, :4], l[:4, :4]))
    )


def test_rsa_is_scipys_spearman_of_scipys_cosine_distances():
    x, y = related(1)
    x[7] = x[3]  # ties
    distances = [spatial.distance.pdist(f, "cosine").round(12) for f in (x, y)]
    assert m.rsa(x, y) == pytest.approx(stats.spearmanr(*distances).statistic)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_mutual_neighbours_are_those_of_a_loop(k):
    x, y = related(2)
    shared = 0
    for i in range(len(x)):
        near = []
        for f in (x, y):
            cosine = [
                f[i] @ f[j] / np.linalg.norm(f[i]) / np.linalg.norm(f[j]) if j != i else -9 for j in range(len(f))
            ]
            near.append(set(np.argsort(cosine)[-k:]))
        shared += len(near[0] & near[1])
    assert m.mutual_neighbours(x, y, k) == pytest.approx(shared / (len(x) * k))
    assert m.neighbours_of(7, k) == min(k, 3)


def test_procrustes_is_scipys_and_dings():
    x, y = related(3, p=6, q=6)
    s = m.procrustes(x, y)
    assert spatial.procrustes(x, y)[2] == pytest.approx(1 - s**2)
    a, b = ((f - f.mean(0)) / np.linalg.norm(f - f.mean(0)) for f in (x, y))
    q, _ = linalg.orthogonal_procrustes(a, b)
    assert np.linalg.norm(a @ q - b) ** 2 == pytest.approx(2 - 2 * s)
    wide = np.random.default_rng(0).normal(size=(10, 40))
    assert m.procrustes(wide, x[:10]) == pytest.approx(
        np.linalg.svd(((wide - wide.mean(0)) / np.linalg.norm(wide - wide.mean(0))).T @ _unit(x[:10]))[1].sum()
    )


def _unit(x):
    return (x - x.mean(0)) / np.linalg.norm(x - x.mean(0))


@pytest.mark.parametrize("measure", m.MEASURES)
def test_rotation_scale_and_the_order_of_rows_do_not_matter(measure):
    x, y = related(4)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    order = rng.permutation(len(x))
    found = FUNCTIONS[measure]
    value = found(x, y)
    assert found(3 * x, 0.1 * y @ turn) == pytest.approx(value, abs=1e-9)
    assert found(x[order], y[order]) == pytest.approx(value, abs=1e-9)
    assert found(y, x) == pytest.approx(value, abs=1e-9)
    assert found(y, 7 * y @ turn) == pytest.approx(1, abs=1e-9)
    assert 0 < value < 1
    constant = np.concatenate([y, np.zeros((len(y), 3))], axis=1)
    assert found(x, constant) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("measure", [m.CKA, m.PROCRUSTES])
def test_a_shift_of_all_rows_does_not_matter_where_columns_are_centred(measure):
    x, y = related(5)
    assert FUNCTIONS[measure](x + 5, y - 3) == pytest.approx(FUNCTIONS[measure](x, y))


def test_every_shift_of_relabelled_rows_is_the_inner_product_of_permuted_rows():
    x, y = related(6, n=31)
    made = [m.by_neighbours(x, 4), m.by_products(y), m.by_ranks(y)]
    order = np.random.default_rng(5).permutation(31)
    pairs = [(0, 1), (1, 2), (0, 2)]
    null = chance.shifted(made, pairs, np.random.default_rng(5), 20)
    for (a, b), drawn in zip(pairs, null, strict=True):
        one, other = (made[i].matrix[np.ix_(order, order)] for i in (a, b))
        wanted = [(one * np.roll(other, (-k, -k), (0, 1))).sum() for k in range(1, 31)]
        assert drawn == pytest.approx(wanted, abs=1e-6)
    assert len(chance.shifted(made, pairs, np.random.default_rng(5), 61)[0]) == 90


def test_a_row_left_out_is_left_out():
    """To first order for CKA, whose matrix is not centred anew; and what unrelated rows add is counted twice."""
    x, y = mixed(0, 0.6, n=150)
    a, b = m.by_products(x), m.by_products(y)
    moves = chance.jackknife(float(np.vdot(a.matrix, b.matrix)), a, b)
    by_hand = [m.debiased_cka(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(0, 150, 10)]
    wanted = np.array(by_hand) - m.debiased_cka(x, y)
    assert np.corrcoef(moves[::10], wanted)[0, 1] > 0.99
    assert moves[::10].std() == pytest.approx(wanted.std(), rel=0.1)
    null = np.mean([_variances(seed) for seed in range(20)], axis=0)
    assert null[0] / null[1] == pytest.approx(2, rel=0.15)


def _variances(seed):
    rng = np.random.default_rng(seed)
    a, b = (m.by_products(rng.normal(size=(80, 10))) for _ in range(2))
    moves = chance.jackknife(float(np.vdot(a.matrix, b.matrix)), a, b)
    return chance.variance_of(moves), 2 / (80 * 79)


def compared(x, y, seed=0):
    found = c.likenesses({"a": x, "b": y}, [("a", "b")], c.Settings(10, 100, seed))
    return {measure: one for (measure, _, _), one in found.items()}


@pytest.mark.parametrize(("n", "p", "q"), [(50, 64, 30), (120, 10, 40)])
def test_unrelated_features_score_chance(n, p, q):
    """Means that are not 0 and columns of unequal size, as features have; 50 rows are a study's classes."""
    hits = {measure: [] for measure in m.MEASURES}
    rejected = {measure: [] for measure in m.MEASURES}
    values = {measure: [] for measure in m.MEASURES}
    for seed in range(100):
        rng = np.random.default_rng([n, seed])
        x, y = rng.normal(size=(n, p)), rng.normal(size=(n, q)) / np.arange(1, q + 1) ** 0.5 + 0.5
        for measure, one in compared(x, y, seed).items():
            low, high = one.interval(c.LOWEST[measure])
            hits[measure].append(low <= one.chance <= high)
            rejected[measure].append(one.p < 0.05)
            values[measure].append(one.value - one.chance)
    assert {measure: np.mean(h) for measure, h in hits.items() if np.mean(h) < 0.89} == {}
    assert max(np.mean(r) for r in rejected.values()) <= 0.12
    for measure, off in values.items():
        assert abs(np.mean(off)) < 4 * np.std(off) / 10, measure


@pytest.mark.slow
def test_unrelated_features_score_chance_in_95_percent():
    hits = {measure: [] for measure in m.MEASURES}
    for seed in range(1000):
        rng = np.random.default_rng([3, seed])
        for measure, one in compared(rng.normal(size=(50, 64)), rng.normal(size=(50, 30)), seed).items():
            low, high = one.interval(c.LOWEST[measure])
            hits[measure].append(low <= one.chance <= high)
    assert {measure: np.mean(h) for measure, h in hits.items() if not 0.92 <= np.mean(h) <= 0.98} == {}


def test_a_mixture_has_the_cka_that_it_was_made_with_and_intervals_hold_the_truth():
    """The truth of the others is the mean over the seeds, since theirs depends on n."""
    held = {measure: [] for measure in m.MEASURES}
    for seed in range(100):
        for measure, one in compared(*mixed(seed, 0.5, n=120), seed).items():
            held[measure].append((one.value, *one.interval(c.LOWEST[measure])))
    for measure, found in held.items():
        values, low, high = np.array(found).T
        truth = 0.5 if measure == m.CKA else values.mean()
        assert np.mean((low <= truth) & (truth <= high)) >= 0.89, measure
    assert np.mean([one[0] for one in held[m.CKA]]) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("measure", m.MEASURES)
def test_the_more_of_it_is_noise_the_less_alike(measure):
    shares = [0, 0.2, 0.4, 0.6, 0.8, 1]
    values = [FUNCTIONS[measure](*mixed(1, share, n=400)) for share in shares]
    assert all(a < b for a, b in itertools.pairwise(values))
    assert values[-1] == pytest.approx(1)
    if measure == m.CKA:
        assert values == pytest.approx(shares, abs=0.05)


def made(n=60, seed=0, **options):
    """Three encoders, one the rotated copy of another, and names whose vectors follow the first's class means."""
    rng = np.random.default_rng([7, seed])
    centres = rng.normal(size=(12, 6))
    x = np.repeat(centres, n // 12, 0) + 0.5 * rng.normal(size=(n, 6))
    tokens = np.stack([x + 1, x - 1], axis=1)
    turned = 2 * x @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    given = [features(tokens, "a"), features(turned, "b"), features(rng.normal(size=(n, 9)), "a-random")]
    names = words(12, n, centres @ rng.normal(size=(6, 20)), np.repeat(np.arange(12), n // 12))
    losses = [("a", 0, 1.0), ("a", 1, 1.2), ("a", 2, 1.1), ("a-random", 0, 2.0), ("a-random", 1, 2.2)]
    fits = StitchingLosses(tuple(StitchingLoss(*one, 80) for one in losses), "fits")
    return similarity(given, names, fits, **{"n_permutations": 200} | options)


def test_copies_are_alike_and_strangers_are_not():
    result = made(n_permutations=500)
    for measure in m.MEASURES:
        same, other = result.between("b", measure, "a"), result.between("a-random", measure, "a")
        assert same["value"] == pytest.approx(1, abs=1e-6)
        assert same["high"] <= 1
        assert other["low"] <= other["chance"] <= other["high"]
        assert same["q"] < 0.05 < other["p"]
        assert (same["n"], same["group"]) == (60, c.PICTURES)
        level = result.between("a", measure, c.LANGUAGE_MODEL)
        assert level["n"] == 12
        assert np.isnan(level["p"])  # 12 classes: fewer than 20
        assert "no p: 12 classes" in level["method"]
        beyond = result.between("a", measure + c.WITH, "a-random")
        lower = result.between("a-random", measure, c.LANGUAGE_MODEL)
        assert beyond["value"] == pytest.approx(level["value"] - lower["value"])
        assert beyond["low"] < beyond["value"] < beyond["high"]
    assert result.between("a", m.CKA + c.WITH, "a-random")["low"] > 0


def test_class_means_are_compared_with_the_names_of_their_classes():
    result = made()
    rng = np.random.default_rng([7, 0])
    centres = rng.normal(size=(12, 6))
    x = np.repeat(centres, 5, 0) + 0.5 * rng.normal(size=(60, 6))
    rng.normal(size=(6, 6)), rng.normal(size=(60, 9))
    vectors = (centres @ rng.normal(size=(6, 20))).astype(np.float32)
    means = x.astype(np.float32).reshape(12, 5, 6).mean(1)
    for measure in (m.CKA, m.RSA, m.PROCRUSTES):
        value = FUNCTIONS[measure](means.astype(float), vectors.astype(float))
        assert result.between("a", measure, c.LANGUAGE_MODEL)["value"] == pytest.approx(value, abs=1e-5)


def test_q_is_over_the_pairs_of_encoders():
    from concepttransfer.statistics import false_discovery

    e = made().estimates
    pairs = e[e["group"] == c.PICTURES]
    assert len(pairs) == 3 * 4
    assert pairs["q"].to_numpy() == pytest.approx(false_discovery(pairs["p"]))


def test_the_stitching_loss_is_the_mean_of_the_seeds_and_stands_beside_the_controls():
    result = made()
    level, less = result.claim("a", c.STITCHING), result.between("a", c.STITCHING, "a-random")
    assert level["value"] == pytest.approx(1.1)
    reach = stats.t.ppf(0.975, 2) * 0.1 / 3**0.5
    assert (level["low"], level["high"]) == pytest.approx((1.1 - reach, 1.1 + reach))
    assert (level["n"], level["n_seeds"]) == (80, 3)
    assert less["value"] == pytest.approx(-1.0)
    assert less["p"] == pytest.approx(stats.ttest_ind([1.0, 1.2, 1.1], [2.0, 2.2], equal_var=False).pvalue)
    one = c.stitching({"a": [StitchingLoss("a", 0, 1.0, 80)]})[0].estimate
    assert np.isnan(one.low)
    assert "one seed" in one.method


def test_losses_are_read_from_the_fits_of_the_study():
    study = ct.load_study("microworld", quiet=True)
    fits = study.transfers("clip")
    found = stitching_losses(fits)
    assert [one.loss for one in found.losses] == [t.history["validation_loss"].dropna().iloc[-1] for t in fits]
    assert [(one.encoder, one.seed, one.n) for one in found.losses] == [("clip", s, 80) for s in range(3)]
    assert stitching_losses([]) is None


def test_names_are_read_as_they_stand_in_a_caption():
    study = ct.load_study("microworld", quiet=True)
    model = study.language_model
    first, second = word_vectors_of(("zebra", "grizzly bear"), model)
    ids = [model.tokens.ids("a " + name)[len(model.tokens.ids("a")) :] for name in ("zebra", "grizzly bear")]
    vectors = model.word_vectors.numpy()
    assert first == pytest.approx(vectors[list(ids[0])].mean(0), abs=1e-6)
    assert second == pytest.approx(vectors[list(ids[1])].mean(0), abs=1e-6)


def test_a_study_compares_its_encoders_and_a_tuned_one_is_as_its_fit_left_it():
    study = ct.load_study("microworld", quiet=True, limit=40)
    result = study.analyze("similarity", encoders=["nfrn50", "nfrn50-tuned"], on="dev", n_permutations=100)
    assert result.encoders == ("nfrn50", "nfrn50-random", "nfrn50-tuned")
    assert result.study == "microworld"
    assert 0.3 < result.between("nfrn50", m.CKA, "nfrn50-tuned")["value"] < 0.999
    assert "microworld" in result.summary()
    assert result.estimates["n"].dropna().min() >= 4


def test_rows_are_drawn_without_replacement_and_their_order_does_not_matter():
    rng = np.random.default_rng(0)
    x, y = related(0, n=90)
    ids = [f"r{i}" for i in range(90)]
    order = rng.permutation(90)
    given = [features(x, "a"), features(y, "b")]
    plain = similarity(given, None, None, n_permutations=50)
    moved = similarity([given[0], features(y[order], "b", [ids[i] for i in order])], None, None, n_permutations=50)
    few = similarity(given, None, None, n_permutations=50, rows=30)
    assert moved.estimates["value"].to_numpy() == pytest.approx(plain.estimates["value"].to_numpy())
    assert set(few.estimates["n"]) == {30}
    assert "60 more pictures were not drawn" in few.summary()
    assert few.between("a", m.CKA, "b")["value"] != pytest.approx(plain.between("a", m.CKA, "b")["value"])


def test_the_figures_draw_the_numbers_and_say_chance_and_n():
    result = made()
    texts = {name: [t.get_text() for t in result.plot(name).findobj(_text())] for name in result.figures}
    assert f"{result.between('a', m.PROCRUSTES, 'a-random')['value']:.2f}" in texts["pictures"]
    assert f"{result.between('a', m.NEIGHBOURS, 'b')['chance']:.2f}" in texts["pictures"]
    assert any("60 pictures" in text for text in texts["pictures"])
    assert any("12 class names" in text for text in texts["language-model"])
    assert f"{result.between('b', m.RSA, c.LANGUAGE_MODEL)['value']:.2f}" in texts["language-model"]
    assert "1.10" in texts["language-model"]
    assert not any("microworld" in text for text in texts["pictures"])


def _text():
    from matplotlib.text import Text

    return Text


def test_it_is_saved_and_loaded_as_it_was(tmp_path):
    result = made()
    loaded = Result.load(result.save(tmp_path / "run"))
    assert isinstance(loaded, Similarity)
    assert loaded == result == made()
    assert loaded.summary() == result.summary()
    head = result.headline().set_index("encoder")
    level = result.between("a", m.RSA, c.LANGUAGE_MODEL)
    assert head.loc["a", "RSA with words (chance)"] == f"{level['value']:.2f} ({level['chance']:.2f})"
    assert head.loc["a", "most alike (CKA)"] == "b 1.00"
    assert head.loc["a", "stitching loss"] == "1.100"


def test_what_cannot_be_compared_is_refused_in_a_sentence():
    x, y = related(0, n=20)
    a, b = features(x, "a"), features(y, "b")
    broken = y.copy()
    broken[3, 2] = np.nan
    with pytest.raises(EmptyDataError, match="no features"):
        similarity([], None, None)
    with pytest.raises(BadInputError, match="b: 1 of 20 rows hold values that are not finite"):
        similarity([a, features(broken, "b")], None, None)
    with pytest.raises(BadInputError, match="b: all 20 rows are the same"):
        similarity([a, features(np.ones((20, 5)), "b")], None, None)
    with pytest.raises(ShapeError, match="a: 3 rows; 4 or more"):
        similarity([features(x[:3], "a"), features(y[:3], "b")], None, None)
    with pytest.raises(MismatchError, match="b \\(19 pictures\\) and of a \\(20 pictures\\) are of different"):
        similarity([a, features(y[:19], "b")], None, None)
    with pytest.raises(MismatchError, match="different pictures"):
        similarity([a, features(y, "b", manifest="another")], None, None)
    with pytest.raises(BadInputError, match="Two sets of features are named `a`"):
        similarity([a, a], None, None)
    with pytest.raises(EmptyDataError, match=r"one encoder.*no picture's class is known"):
        similarity([a], None, None)
    with pytest.raises(BadInputError, match="--rows 3"):
        similarity([a, b], None, None, rows=3)
    with pytest.raises(BadInputError, match="--neighbours 0"):
        similarity([a, b], None, None, neighbours=0)
    with pytest.raises(ShapeError, match="20 and 19 rows"):
        m.debiased_cka(x, y[:19])
    with pytest.raises(ShapeError, match="as many word vectors"):
        ClassNames(("a",), np.ones((2, 3), np.float32), {}, "m", "k")


def test_one_class_is_no_arrangement_and_more_classes_than_pictures_are_those_that_have_one():
    x, y = related(0, n=20)
    given = [features(x, "a"), features(y, "b")]
    one = similarity(given, words(1, 20, np.ones((1, 5))), None, n_permutations=50)
    assert not one.estimates["against"].eq(c.LANGUAGE_MODEL).any()
    assert "1 classes have pictures, and 4 are needed" in one.summary()
    many = similarity(given, words(50, 20, np.random.default_rng(0).normal(size=(50, 5))), None, n_permutations=50)
    assert many.between("a", m.CKA, c.LANGUAGE_MODEL)["n"] == 20
    nothing = ClassNames(("x",), np.ones((1, 3), np.float32), {}, "m", "k")
    none = similarity(given, nothing, None, n_permutations=50)
    assert "0 classes have pictures" in none.summary()
    for result, name in itertools.product((one, many, none), Similarity.figures):
        result.plot(name)
    alone = similarity([given[0]], words(5, 20, np.random.default_rng(0).normal(size=(5, 9))), None, n_permutations=50)
    assert pd.notna(alone.between("a", m.PROCRUSTES, c.LANGUAGE_MODEL)["value"])
    alone.plot("pictures")
    assert len(alone.headline()) == 1


def test_four_pictures_constant_columns_and_a_row_without_length_are_measured():
    x, y = related(0, n=20)
    y = np.concatenate([y, np.full((20, 4), 3.0)], axis=1)
    x[5] = 0
    for n in (4, 20):
        result = similarity([features(x[:n], "a"), features(y[:n], "b")], None, None, n_permutations=50)
        assert np.isfinite(result.estimates[["value", "low", "high", "chance"]].to_numpy()).all()


def test_a_dry_run_fits_and_captions_nothing(capsys):
    from concepttransfer.cli import main

    assert main(["similarity", "--encoder", "clip", "--limit", "40", "--dry-run", "--json"]) == 0
    said = capsys.readouterr().out
    assert '"encode"' in said
    assert '"fit"' not in said
    assert '"caption"' not in said


def test_a_wider_encoder_is_not_more_like_the_language_model_for_its_width():
    """Procrustes of wide features is higher by chance; what is tested is what is left."""
    rejected = []
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        means = {"a": rng.normal(size=(40, 60)), "a-random": rng.normal(size=(40, 5))}
        claims = c.with_language_model(means, rng.normal(size=(40, 20)), c.Settings(10, 50, seed))
        found = next(one for one in claims if one.measure == m.PROCRUSTES + c.WITH).estimate
        assert found.chance > 0.2
        rejected.append(found.p < 0.05)
    assert np.mean(rejected) <= 0.2
