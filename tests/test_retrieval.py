"""Recall is the standard protocol's, chance is exact, intervals hold it, and searches of the microworld are CLIP's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import concepttransfer as ct
from concepttransfer.analyses._retrieval import claims
from concepttransfer.analyses._retrieval.search import AT
from concepttransfer.analyses.compare import compare
from concepttransfer.analyses.retrieval import FINDS, FOUND, Retrieval, retrieval
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.features import Features
from concepttransfer.features.captioned import Captioned
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import Result

N, DIM = 40, 12


def features(values, ids, space="clip"):
    values = np.asarray(values)
    return Features(None, f"key {np.sum(values):.9f}", values[:, None], tuple(ids), "m", "e", space)


def made(seed=0, n=N, noise=1.0, counts=None, encoder="clip", related=True):
    """Pictures, and captions around their picture (or anywhere): five each, or as many as told."""
    rng = np.random.default_rng(seed)
    counts = [5] * n if counts is None else counts
    pictures = rng.normal(size=(n, DIM))
    of = np.repeat(np.arange(n), counts)
    base = pictures[of] if related else rng.normal(size=(n, DIM))[of]
    captions = base + noise * rng.normal(size=(len(of), DIM))
    numbers = [number for count in counts for number in range(count)]
    ids = [f"row {row}#{number}" for row, number in zip(of, numbers, strict=True)]
    towers = Captioned(
        encoder, "made", "tests", features(pictures, [f"row {k}" for k in range(n)]), features(captions, ids)
    )
    texts = [tuple(f"caption {number} of {k}" for number in range(counts[k])) for k in range(n)]
    return towers, Manifest("made", tuple(Row(f"row {k}", texts=texts[k]) for k in range(n))), of


def by_hand(towers, of):
    """The standard protocol, written out: ranks by a full sort of every query."""
    unit = [np.asarray(f.values[:, 0]) for f in (towers.pictures, towers.texts)]
    pictures, captions = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in unit)
    similarity = pictures @ captions.T
    finds = [min(np.flatnonzero(of[np.argsort(-row)] == k)) + 1 for k, row in enumerate(similarity)]
    found = [int(np.flatnonzero(np.argsort(-column) == k)[0]) + 1 for k, column in zip(of, similarity.T, strict=True)]
    return np.array(finds), np.array(found)


def test_recall_and_ranks_are_the_standard_protocols():
    towers, manifest, of = made(noise=1.5, counts=[1 + k % 4 for k in range(N)])
    finds, found = by_hand(towers, of)
    result = retrieval([towers], manifest, n_resamples=50)
    for k in AT:
        assert result.claim("clip", claims.recall(claims.CAPTIONS, k))["value"] == pytest.approx((finds <= k).mean())
        assert result.claim("clip", claims.recall(claims.PICTURES, k))["value"] == pytest.approx((found <= k).mean())
    assert result.table["rank"].tolist() == finds.tolist()
    assert result.claim("clip", claims.median_rank(claims.CAPTIONS))["value"] == np.median(finds)
    assert result.claim("clip", claims.median_rank(claims.PICTURES))["value"] == np.median(found)
    assert result.table[FOUND[5]].tolist() == np.bincount(of, weights=found <= 5).tolist()
    assert result.table["captions"].tolist() == [1 + k % 4 for k in range(N)]
    assert 0.1 < (finds <= 1).mean() < 0.9


def test_one_caption_each_both_ways_is_one_thing():
    """With captions equal to their pictures everything is found; the two directions are transposes of each other."""
    towers, manifest, _ = made(noise=0.0, counts=[1] * N)
    result = retrieval([towers], manifest, n_resamples=50)
    assert result.table[[FINDS[1], FOUND[1]]].to_numpy().all()
    assert result.table["is_own"].all()
    assert result.table["nearest"].tolist() == [f"caption 0 of {k}" for k in range(N)]
    swapped, _, _ = made(noise=1.5, counts=[1] * N)
    there = retrieval([swapped], manifest, n_resamples=50)
    pictures = features(swapped.texts.values[:, 0], swapped.pictures.row_ids)
    back = replace(swapped, pictures=pictures, texts=features(swapped.pictures.values[:, 0], swapped.texts.row_ids))
    again = retrieval([back], manifest, n_resamples=50)
    for k in AT:
        one = there.claim("clip", claims.recall(claims.CAPTIONS, k))["value"]
        assert one == pytest.approx(again.claim("clip", claims.recall(claims.PICTURES, k))["value"])


def test_lengths_rotation_and_order_of_captions_change_nothing():
    towers, manifest, _ = made(noise=1.5)
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    order = rng.permutation(5 * N)
    texts = np.asarray(towers.texts.values[:, 0])[order] @ turn * rng.uniform(1, 5, (5 * N, 1))
    pictures = np.asarray(towers.pictures.values[:, 0]) @ turn * rng.uniform(1, 5, (N, 1))
    ids = [towers.texts.row_ids[k] for k in order]
    turned = replace(towers, pictures=features(pictures, towers.pictures.row_ids), texts=features(texts, ids))
    wanted, found = (retrieval([one], manifest, n_resamples=50).table for one in (towers, turned))
    assert found[["rank", "found_rank", FOUND[10]]].equals(wanted[["rank", "found_rank", FOUND[10]]])


def test_chance_is_exact():
    """Where captions belong to other pictures, all together, recall is chance on average: over every shift of them."""
    towers, manifest, _ = made(noise=0.7, n=12)
    captions = np.asarray(towers.texts.values[:, 0]).reshape(12, 5, DIM)
    shifted = [
        replace(towers, texts=features(np.roll(captions, k, axis=0).reshape(-1, DIM), towers.texts.row_ids))
        for k in range(12)
    ]
    results = [retrieval([one], manifest, n_resamples=10) for one in shifted]
    for direction in (claims.CAPTIONS, claims.PICTURES):
        for k in AT:
            measure = claims.recall(direction, k)
            mean = np.mean([one.claim("clip", measure)["value"] for one in results])
            for one in results:
                assert one.claim("clip", measure)["chance"] == pytest.approx(mean)
    for k in AT:
        assert results[0].claim("clip", claims.recall(claims.PICTURES, k))["chance"] == pytest.approx(k / 12)
    assert results[0].claim("clip", claims.recall(claims.CAPTIONS, 1))["chance"] == pytest.approx(1 / 12)
    assert results[0].claim("clip", claims.recall(claims.CAPTIONS, 10))["chance"] < 10 / 12


def test_features_that_are_all_alike_score_chance():
    towers, manifest, _ = made()
    same = replace(
        towers,
        pictures=features(np.ones((N, DIM)), towers.pictures.row_ids),
        texts=features(np.ones((5 * N, DIM)), towers.texts.row_ids),
    )
    result = retrieval([same], manifest, n_resamples=50)
    for direction in (claims.CAPTIONS, claims.PICTURES):
        for k in AT:
            claim = result.claim("clip", claims.recall(direction, k))
            assert claim["value"] == pytest.approx(claim["chance"])


def test_unrelated_features_score_chance():
    """Over 100 seeds the interval of what is above chance holds 0, and p is spread."""
    measures = [claims.recall(d, k) for d in (claims.CAPTIONS, claims.PICTURES) for k in (5, 10)]
    held, p = dict.fromkeys(measures, 0), []
    for seed in range(100):
        towers, manifest, _ = made(seed, noise=0.5, related=False)
        result = retrieval([towers], manifest, n_resamples=200, seed=seed)
        for measure in measures:
            claim = result.claim("clip", measure, against="chance")
            held[measure] += claim["low"] <= 1e-12 and claim["high"] >= -1e-12
        p.append(result.claim("clip", claims.recall(claims.PICTURES, 10))["p"])
    assert min(held.values()) >= 89, held
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    assert 0.3 < np.mean(p) < 0.8


def test_intervals_hold_the_recall_of_all_queries():
    """A gallery of 300 pictures, queries drawn from them: the interval is about queries, the gallery fixed."""
    towers, _, _ = made(noise=2.0, n=300, counts=[1] * 300)
    finds, _ = by_hand(towers, np.arange(300))
    hits = (finds <= 5).astype(float)
    held = 0
    for seed in range(200):
        drawn = np.random.default_rng(seed).integers(0, 300, 60)
        (level,) = claims._draw([claims.Ratio(hits[None, drawn], np.ones((1, 60)), 0, 1)], 60, 300, seed)
        low, high = level.interval()
        held += low <= hits.mean() <= high
    assert 0.91 <= held / 200 <= 0.99


def test_encoders_are_compared_and_results_load(tmp_path):
    good, manifest, _ = made(noise=0.8)
    poor = replace(made(noise=3.0)[0], encoder="other", pictures=good.pictures)
    result = retrieval([good, poor], manifest, n_resamples=200)
    measure = claims.recall(claims.CAPTIONS, 1)
    difference = result.claim("clip", measure, against="other")
    levels = [result.claim(one, measure)["value"] for one in ("clip", "other")]
    assert difference["value"] == pytest.approx(levels[0] - levels[1])
    assert difference["low"] > 0
    assert difference["q"] < 0.05
    compared = compare([result], n_resamples=200)
    assert compared.difference("clip", measure, "other")[0]["value"] == pytest.approx(difference["value"])
    both = claims.recall(claims.PICTURES, 5)
    wanted = result.claim("clip", both, against="other")["value"]
    assert compared.difference("clip", both, "other")[0]["value"] == pytest.approx(wanted)
    assert Result.load(result.save(tmp_path / "r")) == result
    for name in Retrieval.figures:
        assert result.plot(name).axes
    assert len(result.wanted_pictures()) <= 8
    assert f"of {N} pictures find a caption of their own" in result.summary()


def test_bad_input_is_answered():
    towers, manifest, _ = made()
    with pytest.raises(EmptyDataError, match="nothing to search"):
        retrieval([], manifest)
    with pytest.raises(EmptyDataError, match="has a caption"):
        retrieval([replace(towers, texts=features(np.ones((1, DIM)), ["elsewhere#0"]))], manifest)
    with pytest.raises(BadInputError, match="one picture"):
        retrieval([made(n=1)[0]], manifest)
    with pytest.raises(MismatchError, match="search other things"):
        retrieval([towers, made(n=N - 1)[0]], manifest)
    with pytest.raises(MismatchError, match="is not in `other`"):
        retrieval([towers], Manifest("other", (Row("x", texts=("y",)),)))


def test_the_microworlds_clip_finds_captions_and_its_random_control_does_not():
    study = ct.load_study("microworld", limit=100, quiet=True)
    result = study.analyze("retrieval", encoders=["clip"], on="dev", n_resamples=100)
    assert result.encoders == ("clip", "clip-random")
    assert result.provenance["captions"] == 500
    for direction in (claims.CAPTIONS, claims.PICTURES):
        assert result.claim("clip", claims.recall(direction, 1))["value"] > 0.6
        assert result.claim("clip-random", claims.recall(direction, 10))["value"] < 0.25
    with pytest.raises(BadInputError, match="Name one that does: clip"):
        study.analyze("retrieval", encoders=["nfrn50"], on="dev")
