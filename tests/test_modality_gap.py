"""Numbers of the modality gap equal their definitions; unrelated towers score chance; adapters do what they should."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import concepttransfer as ct
from concepttransfer.analyses._modality_gap import claims as c
from concepttransfer.analyses._modality_gap import cosines as co
from concepttransfer.analyses._modality_gap import distance as d
from concepttransfer.analyses._modality_gap.moves import moved, moves
from concepttransfer.analyses.modality_gap import ModalityGap, modality_gap
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.features import Features
from concepttransfer.features.pairs import PairedTowers
from concepttransfer.result import Result

QUICK = {"n_resamples": 200, "n_permutations": 100}
FEW = {**QUICK, "magnitudes": "0.5", "directions": 2}


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def features(values, ids, space="clip"):
    values = np.asarray(values, dtype=np.float32)[:, None]
    return Features(None, f"key-{values.sum()}", values, tuple(ids), "manifest", space, space)


def towers(pictures, captions, of=None, encoder="clip", **more):
    """Pictures [n, dim] with captions [m, dim]; `of`: whose each is."""
    n = len(pictures)
    of = np.arange(n) if of is None else np.asarray(of)
    ids = [f"r{row}#{number}" for number, row in enumerate(of)]
    known = {"on": "captions", "study": "other"} | more
    seen = features(pictures, [f"r{i}" for i in range(n)])
    return PairedTowers(encoder, pictures=seen, texts=features(captions, ids), **known)


def drawn(seed, n=60, dim=16, signal=0.0, shift=0.0, each=1):
    """Pictures and captions that share a part, the captions' centroid moved."""
    rng = np.random.default_rng([3, seed])
    shared = rng.standard_normal((n, dim))
    pictures = signal * shared + rng.standard_normal((n, dim))
    captions = signal * np.repeat(shared, each, 0) + rng.standard_normal((n * each, dim))
    captions[:, 0] += shift
    return pictures, captions, np.repeat(np.arange(n), each)


def permutations(n, n_permutations=50):
    return np.array([np.random.default_rng(i).permutation(n) for i in range(n_permutations)])


def test_cosines_are_means_over_pairs_by_definition():
    pictures, captions, of = drawn(0, n=12, each=2, signal=0.5)
    own = towers(pictures, captions, of).aligned()
    made = co.cosines(own.pictures, own.captions, own, permutations(12))
    p, t = unit(pictures), unit(captions)
    matched = [np.mean([p[i] @ t[m] for m in range(24) if of[m] == i]) for i in range(12)]
    others = [p[i] @ t[m] for i in range(12) for m in range(24) if of[m] != i]
    nearest = [float(np.argmax([p[j] @ t[2 * i] for j in range(12)]) == i) for i in range(12)]
    np.testing.assert_allclose(made.matched, matched, atol=1e-6)
    assert made.others.mean() == pytest.approx(np.mean(others), abs=1e-6)
    np.testing.assert_allclose(made.nearest, nearest, atol=1e-6)
    between = [t[a] @ t[b] for a in range(24) for b in range(24) if of[a] != of[b]]
    assert co.among(own.mean_over_captions(own.captions)).mean() == pytest.approx(np.mean(between), abs=1e-6)


def test_what_a_picture_adds_moves_the_mean_as_drawing_it_anew_does():
    pictures, captions, _ = drawn(1, n=80, shift=1.0)
    own = towers(pictures, captions).aligned()
    by_pair = own.pictures @ own.captions.T
    rng, n = np.random.default_rng(0), 80
    off = ~np.eye(n, dtype=bool)
    whole = []
    for _ in range(2000):
        times = np.bincount(rng.integers(0, n, n), minlength=n)
        weights = np.outer(times, times) * off
        whole.append((weights * by_pair).sum() / weights.sum())
    added = co.cosines(own.pictures, own.captions, own, permutations(n)).others
    assert added.std() / np.sqrt(n) == pytest.approx(np.std(whole), rel=0.1)


def test_distance_is_that_of_the_centroids_less_what_finite_samples_make():
    pictures, captions, of = drawn(2, n=30, shift=2.0, each=2)
    own = towers(pictures, captions, of).aligned()
    difference = own.pictures - own.mean_over_captions(own.captions)
    pairs = [difference[i] @ difference[j] for i in range(30) for j in range(30) if i != j]
    assert d._mean_of_pairs(difference) == pytest.approx(np.mean(pairs))
    left_out = [d._mean_of_pairs(np.delete(difference, i, 0)) for i in range(30)]
    np.testing.assert_allclose(d._without_one(difference), left_out)
    found = d.gap(own, 100, np.random.default_rng(0))
    assert found.distance.value == pytest.approx(np.sqrt(np.mean(pairs)))
    plain = np.linalg.norm(difference.mean(0))
    assert found.distance.low < found.distance.value < plain < found.distance.high
    middle = (own.pictures + own.mean_over_captions(own.captions)) / 2
    variance = 1 - d._mean_of_pairs(middle)
    assert found.share.value == pytest.approx(np.mean(pairs) / 4 / variance)


def test_of_two_far_points_the_distance_makes_all_the_variance():
    rng = np.random.default_rng(0)
    pictures, captions = np.array([5.0, 0, 0]), np.array([0, 5.0, 0])
    made = [
        towers(x + 1e-3 * rng.standard_normal((9, 3)), y + 1e-3 * rng.standard_normal((9, 3))).aligned()
        for x, y in [(pictures, captions), (pictures, pictures)]
    ]
    apart, together = (d.gap(one, 50, rng) for one in made)
    assert apart.distance.value == pytest.approx(np.sqrt(2), abs=1e-2)
    assert apart.share.value == pytest.approx(1, abs=1e-4)
    assert together.distance.value < 1e-2


def level(result, measure, **more):
    return result.claim(result.encoders[0], measure, **more)


def test_unrelated_towers_score_chance():
    """Of 100 draws at least 89 intervals hold chance, for each measure; p is below .05 in few."""
    held = dict.fromkeys([c.MATCHED + c.ABOVE, c.NEAREST, c.DISTANCE, c.SHARE], 0)
    small = dict.fromkeys(held, 0)
    settings = c.Settings(moves("", 0.0, 1)[:1], 300, 99, 0)
    for seed in range(100):
        pictures, captions, _ = drawn(seed)
        own = towers(pictures, captions).aligned()
        for claim in c.claims({"clip": (own, c.look(own, None, settings))}, settings):
            if claim.measure in held:
                one = claim.estimate
                held[claim.measure] += one.low <= one.chance <= one.high
                small[claim.measure] += one.p < 0.05
    assert all(n >= 89 for n in held.values()), held
    assert all(n <= 12 for n in small.values()), small


def test_intervals_hold_what_is_planted():
    """The truth is what very many pictures have; 100 draws of 60."""
    settings = c.Settings(moves("", 0.0, 1)[:1], 300, 19, 0)

    def values(n, seed):
        own = towers(*drawn(seed, n=n, signal=0.8, shift=1.0)[:2]).aligned()
        return {x.measure: x.estimate for x in c.claims({"clip": (own, c.look(own, None, settings))}, settings)}

    truth, held = values(2500, 1000), {}
    measures = [c.MATCHED, c.OTHERS, c.MATCHED + c.ABOVE, c.DISTANCE, c.SHARE, c.CAPTIONS, c.PICTURES]
    for seed in range(100):
        made = values(60, seed)
        for measure in measures:
            inside = made[measure].low <= truth[measure].value <= made[measure].high
            held[measure] = held.get(measure, 0) + inside
    assert all(n >= 87 for n in held.values()), held


def test_rotating_both_towers_and_scaling_features_changes_nothing():
    pictures, captions, of = drawn(3, signal=0.7, shift=1.0, each=2)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((16, 16)))[0]
    plain = modality_gap([towers(pictures, captions, of)], magnitudes="", **QUICK)
    other = modality_gap([towers(pictures @ turn * 7, captions @ turn * 0.2, of)], magnitudes="", **QUICK)
    kept = plain.estimates["group"].isin(["none", "mean shift", "negated mean", "linear"])  # noise is drawn by entry
    np.testing.assert_allclose(plain.estimates[kept]["value"], other.estimates[kept]["value"], atol=1e-4)


def test_a_shift_that_is_planted_is_taken_back_by_what_is_fitted_on_other_pairs():
    pictures, _, _ = drawn(4, n=80, dim=8)
    shift = 1.5 * np.eye(8)[1]
    captions = unit(pictures) - shift
    elsewhere = towers(unit(pictures[:40]), captions[:40], on="pairs")
    result = modality_gap([towers(unit(pictures[40:]), captions[40:], elsewhere=elsewhere)], noise=0.0, **FEW)
    values = {one: level(result, c.MATCHED, group=one)["value"] for one in result.adapters}
    assert values["negated mean"] < values["none"] < values["mean shift"]
    assert values["linear"] > 0.9
    gained = level(result, c.MATCHED, group="linear", against="none")
    assert gained["value"] == pytest.approx(values["linear"] - values["none"])
    assert gained["low"] > 0
    assert "fitted on 40 captions of `pairs`" in result.summary()


def test_without_other_pairs_no_adapter_is_fitted_on_what_it_moves():
    pictures, captions, of = drawn(5, n=40, dim=4, signal=1.0, each=2)
    own = towers(pictures, captions, of).aligned()
    linear = next(move for move in moves("", 0.0, 1) if move.name == "linear")
    made = next(moved(linear, own, None, 0))
    folds = np.random.default_rng([0, 5]).permutation(40) % 5
    for fold in range(5):
        mine = folds[own.of] == fold
        reference = LinearRegression().fit(own.captions[~mine], own.beside[~mine]).predict(own.captions[mine])
        np.testing.assert_allclose(made[mine], unit(reference), atol=5e-3)
    assert "adapters fitted on the other pictures" in modality_gap([towers(pictures, captions, of)], **FEW).summary()


def test_a_random_shift_is_the_mean_over_its_directions_and_keeps_what_geometry_says():
    pictures, captions, _ = drawn(6, n=200, dim=64, signal=1.0)
    result = modality_gap([towers(pictures, captions)], **{**FEW, "directions": 3, "magnitudes": "0,1"})
    none, nothing = (level(result, c.MATCHED, group=one)["value"] for one in ("none", "random shift 0"))
    assert nothing == pytest.approx(none, abs=1e-6)
    assert level(result, c.KEPT, group="random shift 0")["value"] == pytest.approx(1, abs=1e-6)
    assert level(result, c.KEPT, group="random shift 1")["value"] == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_a_result_is_saved_drawn_and_compared_with_its_control(tmp_path):
    pictures, captions, of = drawn(7, n=30, signal=1.0, each=2)
    noise = drawn(8, n=30, each=2)
    both = [towers(pictures, captions, of), towers(noise[0], noise[1], of, encoder="clip-random")]
    result = modality_gap(both, **FEW)
    assert Result.load(result.save(tmp_path / "gap")) == result
    for name in ModalityGap.figures:
        assert result.plot(name).axes
    beyond = result.claim("clip", c.NEAREST, against="clip-random")
    levels = [result.claim(one, c.NEAREST)["value"] for one in ("clip", "clip-random")]
    assert beyond["value"] == pytest.approx(levels[0] - levels[1])
    for column in (pair.column for pair in result.paired):
        mean = result.table.groupby("encoder")[column].mean()
        assert mean["clip"] > mean["clip-random"]
    assert set(result.headline()["adapter"]) == set(result.adapters)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"magnitudes": "0.2,big"}, "lengths of shifts from 0 up"),
        ({"magnitudes": "-1"}, "lengths of shifts from 0 up"),
        ({"directions": 0}, "--directions 0"),
        ({"rows": 3}, "--rows 3"),
    ],
)
def test_options_out_of_range_are_refused(options, says):
    with pytest.raises(BadInputError, match=says):
        modality_gap([towers(*drawn(0)[:2])], **options)


def test_what_cannot_be_compared_is_said():
    pictures, captions, _ = drawn(0)
    with pytest.raises(EmptyDataError, match="Name one"):
        modality_gap([])
    with pytest.raises(EmptyDataError, match="has 3 pictures with a caption, and 4 are needed"):
        modality_gap([towers(pictures[:3], captions[:3])])
    ids = [f"r{i}" for i in range(60)]
    with pytest.raises(MismatchError, match="Only what the two towers of one CLIP give"):
        PairedTowers("clip", "on", "study", features(pictures, ids), features(captions, ids, space="other"))
    broken = captions.copy()
    broken[3, 0] = np.nan
    with pytest.raises(BadInputError, match="no number"):
        modality_gap([towers(pictures, broken)])


@pytest.fixture(scope="module")
def study():
    return ct.load_study("microworld", limit=40, quiet=True)


@pytest.fixture
def described(study, tmp_path):
    """Ten pictures of the microworld in a table, one with a caption of 40 words, one without any."""
    manifest = study.manifest("dev")
    lines = ["picture,caption"]
    for number in range(10):
        manifest.read(number).save(tmp_path / f"{number}.png")
        caption = " ".join(["a small dog"] * 14) if number == 3 else manifest.texts[number][0]
        lines.append(f"{number}.png,{'' if number == 5 else caption.replace(',', '')}")
    (tmp_path / "table.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_a_study_reads_both_towers_and_counts_what_is_cut(study, described):
    result = study.analyze("modality-gap", encoders=["clip"], on=str(described / "table.csv"), **FEW)
    assert "n = 9 pictures with 9 captions" in result.summary()
    assert "1 captions were longer than clip reads and were cut" in result.summary()
    assert result.provenance["fitted_on"] == "projection"
    assert result.claim("clip", c.MATCHED)["low"] > result.claim("clip", c.MATCHED)["chance"]


def test_an_encoder_without_a_text_tower_is_answered_with_those_that_have_one(study):
    with pytest.raises(BadInputError, match=r"No encoder named can be asked about texts .*Name one that does: clip"):
        study.analyze("modality-gap", encoders=["nfrn50"], on="dev")


def test_pictures_without_captions_are_refused(study, described):
    (described / "table.csv").unlink()
    with pytest.raises(EmptyDataError, match="have no captions"):
        study.analyze("modality-gap", encoders=["clip"], on=str(described))
