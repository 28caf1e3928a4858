"""Measures of groups equal their references; unrelated groups score chance, made ones what they were made to."""

from __future__ import annotations

import io
import json
from collections import defaultdict

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn import metrics
from sklearn.neighbors import NearestNeighbors
from test_report_browser import ARGUMENTS, browser_path

import concepttransfer as ct
from concepttransfer.analyses._embedding_map import claims as c
from concepttransfer.analyses._embedding_map import measures as m
from concepttransfer.analyses._embedding_map import rows
from concepttransfer.analyses._embedding_map import scores as sc
from concepttransfer.analyses._embedding_map import space as sp
from concepttransfer.analyses._embedding_map.groups import Grouping, groupings, read_groups
from concepttransfer.analyses._embedding_map.layout import coordinates
from concepttransfer.analyses.embedding_map import EmbeddingMap, embedding_map
from concepttransfer.captioning import Captions
from concepttransfer.concepts import Concept, ConceptSet
from concepttransfer.data.descriptions import read_table
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, ShapeError, UnknownNameError
from concepttransfer.features import Features
from concepttransfer.report import build
from concepttransfer.result import Result

EVIL = "</script><img src=x onerror=alert(1)>&\"'"


def made(n=240, n_classes=12, dim=10, share=0.5, seed=0):
    """Pictures about the centres of their classes, and the class of each."""
    rng = np.random.default_rng([11, seed])
    truth = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    centres = rng.normal(size=(n_classes, dim))
    return (share * centres[truth] + (1 - share) * rng.normal(size=(n, dim))).astype(np.float32), truth


def read(values, truth, k=7, n_clusters=(2, 3), seed=0):
    left_out = np.arange(truth.max() + 1)
    return sp.measured(values, truth, left_out, k, n_clusters, seed, lambda: None)


def features(values, encoder="a", ids=None, manifest="manifest"):
    values = np.asarray(values, dtype=np.float32)[:, None]
    ids = tuple(ids or (f"r{i}" for i in range(len(values))))
    return Features(
        None, f"key-{encoder}", values, ids, manifest, f"{encoder}@x", encoder, encoder=encoder, on="animals", study="x"
    )


def animals(truth, names=None):
    """AwA2's animals; picture i is of the class truth[i] of `names`."""
    table = read_table("awa2", "classes.csv")
    concepts = tuple(Concept(row["class"], row["synset"], tuple(row["words"].split("|"))) for row in table)
    has = pd.DataFrame(read_table("awa2", "attributes.csv")).set_index("class").astype(int)
    names = names or [concept.name for concept in concepts]
    known = {f"r{i}": names[code] for i, code in enumerate(truth)}
    return ConceptSet("awa2", concepts, known, has.loc[[concept.name for concept in concepts]])


def captions(texts, encoder="a"):
    table = pd.DataFrame({"row_id": list(texts), "sample": 0, "text": list(texts.values())})
    return Captions(None, "key", table, encoder, 0, "manifest", "animals", "x", {})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result():
    """Two encoders on 120 pictures of 20 animals; one groups classes, the other does not; captions of the first."""
    values, truth = made(120, 20, 8, share=0.8)
    noise = np.random.default_rng(3).normal(size=values.shape)
    concepts = animals(truth)
    texts = {f"r{i}": ("a zebra" if i % 3 else EVIL) for i in range(119)}
    found = embedding_map(
        [features(values), features(noise, "a-random")], concepts, [captions(texts)], n_permutations=50
    )
    held = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(held, format="JPEG")
    return found.with_pictures(dict.fromkeys(found.wanted_pictures()[:119], held.getvalue()))


# References


@pytest.mark.parametrize("n_groups", [2, 3, 12])
def test_measures_are_those_of_scikit_learn(n_groups):
    values, truth = made()
    space = read(values, truth)
    codes = np.arange(12) % n_groups
    labels = codes[truth]
    assert m.silhouettes(space.sums, space.sizes, truth, codes[None])[0] == pytest.approx(
        metrics.silhouette_score(values, labels), abs=1e-5
    )
    near = NearestNeighbors(n_neighbors=7).fit(values).kneighbors(return_distance=False)
    assert m.purity(space.near, codes[None])[0] == pytest.approx((labels[near] == labels[:, None]).mean())
    clusters = space.clusters[sp.kmeans_of(3)]
    rand, information = m.agreement(space.table(sp.kmeans_of(3)), codes[None])[:, 0]
    assert rand == pytest.approx(metrics.adjusted_rand_score(labels, clusters))
    assert information == pytest.approx(metrics.normalized_mutual_info_score(labels, clusters))


@pytest.mark.parametrize("gone", [0, 5])
def test_a_class_left_out_is_left_out_everywhere(gone):
    values, truth = made()
    space = read(values, truth)
    codes = np.arange(12) % 3
    kept, less = truth != gone, np.where(np.arange(12) == gone, -1, codes)
    labels = codes[truth[kept]]
    near = NearestNeighbors(n_neighbors=7).fit(values[kept]).kneighbors(return_distance=False)
    part = space.near_without[gone : gone + 1]
    assert m.purity(part, less[None])[0] == pytest.approx((labels[near] == labels[:, None]).mean())
    assert m.silhouettes(space.sums, space.sizes, truth, less[None])[0] == pytest.approx(
        metrics.silhouette_score(values[kept], labels), abs=1e-5
    )
    clusters = space.clusters[sp.kmeans_of(2)][kept]
    rand, information = m.agreement(space.table(sp.kmeans_of(2)), less[None])[:, 0]
    assert rand == pytest.approx(metrics.adjusted_rand_score(labels, clusters))
    assert information == pytest.approx(metrics.normalized_mutual_info_score(labels, clusters))


def test_a_picture_that_is_a_group_of_its_own_has_silhouette_0_as_in_scikit_learn():
    values, _ = made(40, 4)
    truth = np.minimum(np.arange(40), 3)
    space = read(values, truth)
    assert m.silhouettes(space.sums, space.sizes, truth, np.arange(4)[None])[0] == pytest.approx(
        metrics.silhouette_score(values, truth), abs=1e-5
    )


def test_the_chance_of_purity_is_the_mean_over_permuted_classes():
    values, truth = made()
    space = read(values, truth)
    codes = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 0, 1, -1])
    rng = np.random.default_rng(0)
    there = np.flatnonzero(codes >= 0)
    drawn = np.tile(codes, (6000, 1))
    drawn[:, there] = np.stack([codes[rng.permutation(there)] for _ in range(6000)])
    near = space.near * (codes >= 0) * (codes >= 0)[:, None]
    assert m.purity(near, drawn).mean() == pytest.approx(m.chance_of_purity(near, codes[None])[0], abs=2e-3)


def test_many_labellings_at_once_are_each_by_itself(monkeypatch):
    values, truth = made()
    space = read(values, truth)
    codes = np.random.default_rng(0).integers(0, 3, size=(9, 12))
    whole = [_all(space, truth, codes)]
    monkeypatch.setattr(m, "_BLOCK", 1)
    assert np.allclose(whole, _all(space, truth, codes))


def _all(space, truth, codes):
    pair = m.agreement(space.table(sp.HDBSCAN), codes)
    return np.stack([m.silhouettes(space.sums, space.sizes, truth, codes), m.purity(space.near, codes), *pair])


# Invariances


def test_rotation_scale_shift_and_order_do_not_matter():
    values, truth = made(share=0.7)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    other = np.concatenate([5 * values @ turn + 3, np.full((len(values), 2), 7.0)], axis=1)
    order = rng.permutation(len(values))
    ids = [f"r{i}" for i in range(len(values))]
    one = rows.values_of(features(values), ids, cosine=False)
    two = rows.values_of(features(other[order], ids=[ids[i] for i in order]), ids, cosine=False)
    codes = (np.arange(12) % 3)[None]
    first, second = read(one, truth, n_clusters=(12,)), read(two, truth, n_clusters=(12,))
    assert np.allclose(first.sums, second.sums, rtol=1e-3, atol=1e-2)
    assert m.purity(first.near, codes) == pytest.approx(m.purity(second.near, codes))
    assert sc.of_classes(first, 20, 0)[sc.SILHOUETTE].value == pytest.approx(
        sc.of_classes(second, 20, 0)[sc.SILHOUETTE].value, abs=1e-3
    )


def test_cosine_looks_at_angles_only():
    values, _ = made()
    ids = [f"r{i}" for i in range(len(values))]
    lengths = np.random.default_rng(0).uniform(0.5, 3, size=(len(values), 1))
    one, two = (rows.values_of(features(v), ids, cosine=True) for v in (values, values * lengths))
    assert np.allclose(one, two, atol=1e-4)
    assert not np.allclose(*(rows.values_of(features(v), ids, cosine=False) for v in (values, values * lengths)))


def test_rows_are_drawn_without_replacement_and_in_balance():
    truth = {f"r{i}": "many" if i < 90 else f"few{i % 5}" for i in range(100)}
    ids = rows.drawn([*truth, "nobody knows"], truth, 30, 0)
    assert len(set(ids)) == 30
    assert ids != sorted(ids)
    assert rows.drawn([*truth], truth, 30, 1) != ids
    for n in (6, 12):
        assert pd.Series([truth[row] for row in ids[:n]]).value_counts().tolist() == [n // 6] * 6
    assert rows.drawn([*truth], truth, 1000, 0)[:30] == rows.drawn([*truth], truth, 30, 0)


# Chance and truth


def scored(values, truth, groups, seed, n_draws=200):
    n_classes = int(truth.max()) + 1
    labels = {n_classes, *(int(codes.max()) + 1 for one in groups.values() for codes in one)}
    space = read(values.astype(np.float32), truth, 5, labels, seed)
    rng = np.random.default_rng([seed, 9])
    orders = np.stack([rng.permutation(n_classes) for _ in range(n_draws)])
    found = {"class": sc.of_classes(space, n_draws, seed)}
    found |= {name: sc.of_grouping(space, Grouping(name, codes, ()), orders) for name, codes in groups.items()}
    return c.with_perception(found)


def random_groups(rng, n_classes=16):
    category = rng.integers(0, 4, size=(1, n_classes))
    category[0, :4] = range(4)
    looks = np.stack([rng.permutation(np.arange(n_classes) < n) for n in (5, 8, 9)]).astype(int)
    return {"category": category, "looks": looks, "one": looks[:1, ::-1].copy()}


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_unrelated_groups_score_chance(share, monkeypatch):
    """Without classes in the features, and with classes whose groups have nothing to do with each other."""
    monkeypatch.setattr(sp, "STARTS", 1)
    held, rejected = defaultdict(list), defaultdict(list)
    for seed in range(100):
        values, truth = made(80, 16, 8, share, seed)
        found = scored(values, truth, random_groups(np.random.default_rng(seed)), seed, 60)
        for name, measures in found.items():
            if name != "class" or not share:
                for measure, score in measures.items():
                    low, high = score.interval(sc.LOWEST.get(measure, 0.0), 1.0)
                    own = c.adjusted_interval(measure, score.adjusted())
                    held[name, measure, "adjusted"].append(own[0] <= 0 <= own[1])
                    held[name, measure].append(low <= score.chance <= high)
                    rejected[name, measure].append(score.p_chance() < 0.05)
        for measure in c.LEANED:
            lean = found["category"][measure].adjusted() - found["perception"][measure].adjusted()
            low, high = lean.interval_given_chance()
            held["leaning", measure].append(low <= 0 <= high)
            rejected["leaning", measure].append(lean.p_zero() < 0.05)
    assert {key: np.mean(h) for key, h in held.items() if np.mean(h) < 0.89} == {}
    assert {key: np.mean(r) for key, r in rejected.items() if np.mean(r) > 0.13} == {}


def test_classes_that_stand_apart_are_perfect():
    values, truth = made(120, 10, 12, share=0.98)
    found = scored(values, truth, {"category": (np.arange(10) % 3)[None]}, 0)["class"]
    for measure in (sc.PURITY, sc.KMEANS_RAND, sc.KMEANS_INFORMATION, sc.HDBSCAN_RAND, sc.HDBSCAN_INFORMATION):
        assert found[measure].value == pytest.approx(1), measure
        assert found[measure].p_chance() < 0.02
    assert found[sc.SILHOUETTE].value > 0.9


def test_what_stands_apart_by_habitat_only_is_said_to():
    """Habitat is high, and classes are at their chance given habitat, in at least 89 of 100 seeds."""
    high, at_chance = [], []
    for seed in range(100):
        rng = np.random.default_rng([4, seed])
        truth = np.arange(200) % 20
        habitat = rng.permutation(np.arange(20) < 10).astype(int)
        values = 8 * habitat[truth][:, None] * np.ones(6) + rng.normal(size=(200, 6))
        found = scored(values, truth, {"habitat": habitat[None]}, seed, 50)
        high.append(found["habitat"][sc.PURITY].value > 0.99 and found["habitat"][sc.PURITY].p_chance() < 0.05)
        low, top = found["class"][sc.PURITY].interval(0, 1)
        at_chance.append(low <= 9 / 99 <= top)  # 9 others of the class among 99 of the habitat
    assert np.mean(high) >= 0.89
    assert np.mean(at_chance) >= 0.89


def test_intervals_hold_what_other_classes_give(monkeypatch):
    """Classes with an attribute lie to one side, those of a category in one direction; the truth: the mean of 100."""
    monkeypatch.setattr(sp, "STARTS", 1)
    values, ends = defaultdict(list), defaultdict(list)
    for seed in range(100):
        rng = np.random.default_rng([8, seed])
        truth = np.arange(120) % 20
        has, category = rng.permutation(np.arange(20) < 10).astype(int), rng.permutation(np.arange(20) % 4)
        centres = rng.normal(size=(20, 6)) + np.outer(2 * has - 1, np.eye(6)[0]) + 1.35 * np.eye(6)[1:5][category]
        pictures = centres[truth] + rng.normal(size=(120, 6))
        found = scored(pictures, truth, {"category": category[None], "looks": has[None]}, seed, 40)
        for measure in c.LEANED:
            for name, of in found.items():
                level, adjusted = of[measure], of[measure].adjusted()
                values[measure, name].append(level.value)
                ends[measure, name].append(level.interval())
                values[measure, name, "adjusted"].append(adjusted.value)
                ends[measure, name, "adjusted"].append(c.adjusted_interval(measure, adjusted))
            lean = found["category"][measure].adjusted() - found["perception"][measure].adjusted()
            values[measure, "leaning"].append(lean.value)
            ends[measure, "leaning"].append(lean.interval_given_chance())
    held = {name: np.mean([low <= np.mean(values[name]) <= high for low, high in ends[name]]) for name in values}
    assert {name: share for name, share in held.items() if share < 0.89} == {}


def test_leaning_says_which_of_two_structures_is_there():
    """Pictures about the centres of categories lean to category; about those of looks, to perception."""
    to_category, to_looks = [], []
    for seed in range(20):
        rng = np.random.default_rng([6, seed])
        truth = np.arange(200) % 20
        groups = {"category": (np.arange(20) % 4)[None], "looks": rng.permutation(np.arange(20) < 10).astype(int)[None]}
        for name, kept in (("category", to_category), ("looks", to_looks)):
            centres = 3 * rng.normal(size=(4, 8))
            values = centres[groups[name][0][truth]] + rng.normal(size=(200, 8))
            found = scored(values, truth, groups, seed, 50)
            lean = found["category"][sc.PURITY].adjusted() - found["perception"][sc.PURITY].adjusted()
            kept.append(lean.interval_given_chance())
    assert np.mean([low > 0 for low, _ in to_category]) >= 0.89
    assert np.mean([high < 0 for _, high in to_looks]) >= 0.89


# Groups


def test_our_groups_fit_awa2():
    groups, sha = read_groups("")
    assert len(sha) == 64
    concepts = animals(np.arange(50))
    found = {one.name: one for one in groupings(groups, concepts, concepts.names)}
    assert (found["category"].codes >= 0).all()
    assert found["flippers"].codes.sum() == 7
    assert {"habitat", "colour", "size"} <= set(found)
    assert "red" not in found["colour"].labels  # one class has it
    table = concepts.attributes
    assert (found["habitat"].codes == table[list(found["habitat"].labels)].to_numpy().T).all()
    dogs = [n for n, code in zip(concepts.names, found["category"].codes[0], strict=True) if code == 2]
    assert {"dalmatian", "collie", "wolf", "fox"} <= set(dogs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: [", "cannot be read"),
        ("name: x\ncategories: {a: nothing.n.99}\nperception: {}", "No noun synset"),
        ("name: x\nperception: {a: fur}", "categories: Field required"),
        ("- a", "holds no groups"),
    ],
)
def test_a_file_without_groups_is_told(text, told, tmp_path):
    (tmp_path / "groups.yaml").write_text(text)
    with pytest.raises(BadInputError, match=told):
        read_groups(str(tmp_path / "groups.yaml"))
    with pytest.raises(BadInputError, match="cannot be read"):
        read_groups(str(tmp_path / "none.yaml"))


# Bad input


def test_bad_input_is_told():
    values, truth = made(40, 4)
    concepts = animals(truth)
    good, broken = features(values), np.where(np.arange(40)[:, None] == 3, np.nan, values)
    cases = [
        (([], None, None), {}, EmptyDataError, "no features"),
        (([features(values[:1])], concepts, None), {}, ShapeError, "1 picture"),
        (([good], animals(np.zeros(40, int)), None), {}, EmptyDataError, "one class"),
        (([features(broken)], concepts, None), {}, BadInputError, "finite"),
        (([features(np.ones((40, 5)))], concepts, None), {}, BadInputError, "the same for all 40"),
        (([features(values[:20])], animals(np.arange(20)), None), {}, ShapeError, "no class has two"),
        (([good, features(values[:30], "b")], concepts, None), {}, MismatchError, "different pictures"),
        (([good, features(values, "b", manifest="other")], concepts, None), {}, MismatchError, "different pictures"),
        (([good, good], concepts, None), {}, BadInputError, "named `a`"),
        (([good], concepts, None), {"colour": "flipper"}, UnknownNameError, "Did you mean `flippers`"),
        (([good], None, None), {"colour": "furry"}, UnknownNameError, "furry"),
        (([good], concepts, None), {"rows": 3}, BadInputError, "--rows 3"),
        (([good], concepts, None), {"neighbours": 0}, BadInputError, "--neighbours 0"),
        (([good], concepts, None), {"umap_min_dist": 2.0}, BadInputError, "--umap-min-dist"),
        (([good], concepts, None), {"n_permutations": 1}, BadInputError, "--n-permutations"),
    ]
    for arguments, options, kind, told in cases:
        with pytest.raises(kind, match=told):
            embedding_map(*arguments, **options)


# The result


def test_a_constant_column_and_few_pictures_do_no_harm():
    values, truth = made(12, 4)
    values[:, 0] = 5
    found = embedding_map([features(values)], animals(truth), None, n_permutations=20)
    assert len(found.table) == 12
    assert found.estimates["p"].isna().all()  # fewer than 20 pictures
    assert np.isfinite(found.table[["x", "y"]]).all(axis=None)


def test_without_classes_there_is_only_the_map(tmp_path):
    values, _ = made(40, 4)
    found = embedding_map([features(values)], None, None)
    assert not len(found.estimates)
    assert "no class is known" in found.summary()
    assert found.answer() == found.summary()
    for name in found.figures:
        found.plot(name)
    found.save(tmp_path / "run")
    assert Result.load(tmp_path / "run") == found
    assert "What could not be shown" not in build([tmp_path / "run"], tmp_path / "page").read_text()


def test_one_seed_is_one_map():
    values, _ = made(60, 4)
    one, two, other = (coordinates(values, n_neighbors=10, min_dist=0.1, seed=seed) for seed in (0, 0, 1))
    assert (one == two).all()
    assert not (one == other).all()


def test_what_is_near_in_the_features_is_near_in_the_map():
    from sklearn.manifold import trustworthiness

    values, truth = made(120, 6, share=0.8)
    places = coordinates(values, n_neighbors=15, min_dist=0.1, seed=0)
    assert trustworthiness(values, places, n_neighbors=10) > 0.9
    near = NearestNeighbors(n_neighbors=5).fit(places).kneighbors(return_distance=False)
    assert (truth[near] == truth[:, None]).mean() > 0.9
    shuffled = places[np.random.default_rng(0).permutation(120)]
    assert trustworthiness(values, shuffled, n_neighbors=10) < 0.6


def test_the_table_says_place_class_and_caption(result):
    table = result.table
    assert len(table) == 240
    assert result.encoders == ("a", "a-random")
    mine = table[table["encoder"] == "a"].set_index("row_id")
    at = int(next(row for row in mine.index if int(row[1:]) % 3).removeprefix("r"))
    assert mine.loc[f"r{at}", "named"] == ("right" if mine.loc[f"r{at}", "class"] == "zebra" else "wrong")
    assert mine.loc["r0", "named"] == "none named"
    assert mine.loc["r119", "named"] == "no caption"
    assert set(table.loc[table["encoder"] == "a-random", "named"]) == {"no caption"}
    assert mine.loc["r0", "category"] == "even-toed"


def test_estimates_say_what_was_measured(result):
    e = result.estimates
    levels = e[e["measure"].isin(sc.MEASURES)]
    assert set(levels["against"]) >= {"class", "category", "perception", "habitat", "size"}
    assert e[["low", "high", "chance"]].notna().all(axis=None)
    assert (e["low"] <= e["value"] + 1e-9).all()
    assert (e["value"] <= e["high"] + 1e-9).all()
    assert set(e["method"].str.contains("as they are")) == {True, False}
    assert e.loc[levels.index, ["p", "q"]].notna().all(axis=None)
    assert (e["n"] == 120).all()
    assert (e["n_clusters"] == 20).all()
    good, noise = (result.claim(encoder, sc.PURITY, against="class") for encoder in result.encoders)
    assert good["value"] > 0.5
    assert good["q"] < 0.1
    assert noise["low"] <= noise["chance"] <= noise["high"]
    pair = result.claim("a", sc.PURITY + c.LEANING, against="a-random")
    each = [result.claim(encoder, sc.PURITY + c.LEANING)["value"] for encoder in result.encoders]
    assert pair["value"] == pytest.approx(each[0] - each[1])
    adjusted = result.claim("a", sc.PURITY + c.ADJUSTED, against="class")
    assert adjusted["value"] == pytest.approx((good["value"] - good["chance"]) / (1 - good["chance"]))


def test_a_result_is_saved_and_every_figure_drawn(result, tmp_path):
    result.save(tmp_path / "run")
    loaded = EmbeddingMap.load(tmp_path / "run")
    assert loaded == result
    for name in result.figures:
        assert result.plot(name).axes
    assert "n = 120 pictures" in result.answer()
    assert "120 pictures of 20 classes" in result.summary()
    assert list(result.headline()["encoder"]) == ["a", "a-random"]


@pytest.mark.parametrize("colour", ["class", "error", "flippers"])
def test_the_map_is_coloured_as_asked(colour):
    values, truth = made(60, 20)
    found = embedding_map([features(values)], animals(truth), None, colour=colour, n_permutations=20)
    figure = found.plot("map")
    assert colour in figure.get_suptitle()
    shown = {"class": 20, "error": 1, "flippers": 2}[colour]
    assert len(figure.legends[0].get_texts()) == shown


def test_the_page_holds_the_map_and_its_parquet(result, tmp_path):
    result.save(tmp_path / "run")
    page = build([tmp_path / "run"], tmp_path / "page")
    text = page.read_text(encoding="utf-8")
    assert "could not be" not in text
    assert EVIL not in text
    assert text.count("<script") == 4  # ours, bokeh's, the explorer's, and one block of data
    data = text.partition('<script type="application/json">')[2].partition("</script>")[0]
    said = json.loads(data)
    assert EVIL in json.dumps(said["item"], ensure_ascii=False).replace('\\"', '"')
    assert data.count("data:image/jpeg") == 119
    table = pq.read_table(page.parent / "tables" / "run" / "map.parquet")
    assert {"x", "y", "encoder", "label", "picture", "caption", "row_id"} <= set(table.column_names)
    assert table.num_rows == 240
    pictures = table.column("picture").to_pylist()
    assert Image.open(io.BytesIO(pictures[0]["bytes"])).size == (64, 48)
    assert sum(one is None for one in pictures) == 2
    assert "map.parquet" in text


def test_a_study_needs_no_fit_for_its_map(tmp_path):
    """Features are encoded; captions are made of the fits that come with the microworld, and no fit is started."""
    study = ct.load_study("microworld", limit=60, quiet=True)
    found = study.analyze("embedding-map", encoders=["beit"], on="dev", n_permutations=20)
    assert found.table["caption"].notna().all()
    assert len(found.pictures) == 60
    assert max(Image.open(io.BytesIO(found.pictures[found.table["row_id"][0]])).size) == 64
    unfitted = study.replace(seed=7)
    found = unfitted.analyze("embedding-map", encoders=["beit"], on="dev", n_permutations=20)
    assert set(found.table["named"]) == {"no caption"}


# In a browser


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if (path := browser_path()) is None:
        pytest.skip("no Chromium: install Debian's (make browser), or set CONCEPTTRANSFER_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


PLACE = """(row) => {
  const view = [...Bokeh.index.roots][0], data = Object.values(view.model.renderers)[0].data_source.data;
  const canvas = document.querySelector(".explorer .drawn").getBoundingClientRect();
  const at = data.row.indexOf(row), frame = view.frame;
  return [canvas.x + frame.x_scale.compute(data.x[at]), canvas.y + frame.y_scale.compute(data.y[at])];
}"""
PICTURES = """() => {
  const found = [], walk = (node) => { for (const one of node.querySelectorAll("*")) {
    if (one.tagName === "IMG") found.push([one.src.slice(0, 22), one.naturalWidth, one.parentElement.textContent]);
    if (one.shadowRoot) walk(one.shadowRoot); } };
  walk(document); return found; }"""


def test_pointing_shows_the_picture_and_nothing_from_data_runs(result, tmp_path, browser):
    result.save(tmp_path / "run")
    file = build([tmp_path / "run"], tmp_path / "page")
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector(".explorer[data-state=drawn]")
    page.locator(".explorer .drawn").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    x, y = page.evaluate(PLACE, "r0")
    page.mouse.move(x - 2, y - 2)
    page.mouse.move(x, y)
    page.wait_for_timeout(500)
    shown = page.evaluate(PICTURES)
    assert [(address, width) for address, width, _ in shown] == [("data:image/jpeg;base64", 64)]
    assert EVIL in shown[0][2] or "a zebra" in shown[0][2]
    before = page.evaluate("() => [...[...Bokeh.index.roots][0].model.renderers][0].data_source.data.x.slice(0, 5)")
    page.locator("select[name=encoder]").select_option("a-random")
    page.locator("select[name=colour]").select_option("ocean")
    after = page.evaluate("() => [...[...Bokeh.index.roots][0].model.renderers][0].data_source.data.x.slice(0, 5)")
    assert before != after
    assert "ocean" in page.locator(".explorer .note").text_content()
    assert "ocean" in page.locator(".explorer .keys").text_content()
    assert said == []
    assert [address for address in asked if not address.startswith("data:")] == [file.as_uri()]
