"""Comparing saved results: differences are the analyses' own, equal encoders are not ranked, bad input is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from concepttransfer.analyses._compare.claims import compare_rows, ordered_pairs
from concepttransfer.analyses._compare.given import compared
from concepttransfer.analyses._compare.ladder import arrangements, trend
from concepttransfer.analyses._compare.ranks import rank_limits, step_down
from concepttransfer.analyses._compare.rows import Rows
from concepttransfer.analyses.compare import Comparison, compare
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.result import ESTIMATES, Result
from concepttransfer.result.pairing import Paired


@dataclass(frozen=True, kw_only=True, eq=False)
class Toy(Result):
    """A row a picture, encoder and seed."""

    kind: ClassVar[str] = "toy"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "encoder": "string",
        "seed": "int64",
        "class": "string",
        "right": "bool",
        "near": "float64",
    }
    main_group: ClassVar[str | None] = "classes like these"
    alike: ClassVar[tuple[str, ...]] = ("tagger", "judge.model")

    @property
    def paired(self):
        near = Paired("nearness", "near", cluster="class", both=", where both count")
        return (Paired("named right", "right", cluster="class"), near)

    def summary(self):
        return "A toy."


@dataclass(frozen=True, kw_only=True, eq=False)
class Other(Toy):
    """Of another analysis, whose rows cannot be paired."""

    kind: ClassVar[str] = "other"
    paired = ()
    unpaired: ClassVar[str] = "has a row a pair"


def toy(shares, *, kind=Toy, study="study", rows=range(60), seeds=(0,), rng=0, **provenance):
    """A result in which each encoder names a share of the pictures right; ten classes."""
    rng = np.random.default_rng(rng)
    frames = []
    for encoder, share in shares.items():
        for seed in seeds:
            right = rng.random(len(rows)) < share
            near = np.where(right, np.nan, rng.random(len(rows)))
            about = {"row_id": [f"p{n}" for n in rows], "encoder": encoder, "seed": seed}
            frames.append(pd.DataFrame({**about, "class": [f"c{n % 10}" for n in rows], "right": right, "near": near}))
    table = pd.concat(frames)
    estimates = [
        {"study": study, "on": "test", "system": encoder, "group": "classes like these", "measure": measure}
        | {"value": table.loc[table["encoder"] == encoder, column].mean(), "low": 0.0, "high": 1.0, "chance": 0.1}
        | {"n": len(rows), "n_seeds": len(seeds)}
        for encoder in shares
        for measure, column in (("named right", "right"), ("nearness", "near"))
    ]
    about = {"study": study, "on": "test", "manifest": "m1", "date": "2026-01-01"} | provenance
    return kind(table=table, estimates=pd.DataFrame(estimates).reindex(columns=list(ESTIMATES)), provenance=about)


SUPERVISION = {"a": "captions", "b": "labels", "c": "none", "d": "labels", "a-random": "random"}


def drawn(rng, shares, *, n_classes=20, n_each=5, n_seeds=1, effect=0.8):
    """Rows of encoders whose classes differ in how easy they are, for all and for each: by `effect` in logits."""
    classes = np.repeat(np.arange(n_classes), n_each)
    common = rng.normal(0, effect, n_classes)
    tops = []
    for share in shares:
        own = common + rng.normal(0, effect, n_classes)
        logits = np.log(share / (1 - share)) + own[classes]
        tops.append((rng.random((n_seeds, len(classes))) < 1 / (1 + np.exp(-logits))).astype(float))
    names = tuple("abcdefgh"[: len(shares)])
    below = tuple(np.ones_like(top) for top in tops)
    return Rows(Paired("named right", "right", cluster="class"), names, tuple(tops), below, classes, 0)


def ranked(rows, seed=0):
    return compare_rows(rows, [np.nan] * len(rows.systems), "all", n_resamples=300, seed=seed)


def test_equal_encoders_are_not_ranked_and_intervals_hold_no_difference():
    told, held = 0, 0
    for seed in range(100):
        done = ranked(drawn(np.random.default_rng(seed), [0.5] * 4), seed)
        told += bool((done.best > 1).any())
        held += done.claims[0].estimate.low <= 0 <= done.claims[0].estimate.high
    assert told <= 11, "a family of equal encoders is told apart in about 5 %"
    assert held >= 89


def test_ranks_hold_the_true_ones_and_find_clear_differences():
    """0.2 < 0.5 = 0.5 < 0.8: the equal two may have ranks 2 and 3 in either order."""
    held, found = 0, 0
    for seed in range(100):
        done = ranked(drawn(np.random.default_rng(1000 + seed), [0.2, 0.5, 0.5, 0.8], effect=0.4), seed)
        held += (
            done.worst[0] == 4 and done.best[3] == 1 and all(done.best[[1, 2]] <= 2) and all(done.worst[[1, 2]] >= 3)
        )
        found += list(done.best) == [4, 2, 2, 1] and list(done.worst) == [4, 3, 3, 1]
    assert held >= 89
    assert found >= 70


def test_step_down_is_what_the_definition_says():
    rng = np.random.default_rng(0)
    nulls = rng.normal(size=(400, 6)) * [1, 2, 3, 1, 1, 1]
    values = np.array([3.5, -1.0, 9.0, 0.1, -2.5, np.nan])
    t, z = np.abs(values) / nulls.std(0), np.abs(nulls) / nulls.std(0)
    expected, reached = np.full(6, np.nan), 0.0
    left = [place for place in np.argsort(-t) if np.isfinite(t[place])]
    while left:
        most = left[0]
        reached = max(reached, (1 + (z[:, left].max(1) >= t[most]).sum()) / 401)
        expected[most] = reached
        left = left[1:]
    np.testing.assert_allclose(step_down(values, nulls), expected)
    single = (1 + (z >= t).sum(0)) / 401
    assert (step_down(values, nulls)[:5] >= single[:5] - 1e-12).all(), "a family never makes a p smaller"


def test_ranks_count_only_what_is_told_apart():
    pairs = [(0, 1), (0, 2), (1, 2)]
    best, worst = rank_limits(3, pairs, [0.2, 0.4, 0.2], np.array([0.5, 0.01, np.nan]))
    assert (list(best), list(worst)) == ([1, 1, 2], [2, 3, 3])
    best, worst = rank_limits(3, pairs, [-0.2, -0.4, -0.2], np.array([0.01, 0.01, 0.01]))
    assert list(best) == list(worst) == [3, 2, 1]


def test_a_random_control_stands_second():
    assert ordered_pairs(["a-random", "b", "c"]) == [(1, 0), (2, 0), (1, 2)]


@pytest.mark.parametrize("rungs", [[0, 0, 1, 2, 3], [0, 0, 0, 1, 2, 2, 2, 3, 3]])
def test_the_trend_is_kendalls_tau_with_every_arrangement(rungs):
    values = np.random.default_rng(1).random(len(rungs))
    found = trend(np.array(rungs), values)
    assert found.value == pytest.approx(stats.kendalltau(rungs, values).statistic)
    every = set(itertools.permutations(rungs)) if len(rungs) < 8 else None
    assert arrangements(np.bincount(rungs)) == (len(every) if every else 5040)
    if every:
        taus = [abs(stats.kendalltau(arranged, values).statistic) for arranged in every]
        assert found.p == pytest.approx(np.mean(np.array(taus) >= abs(found.value) - 1e-9))
    assert trend(np.array(rungs), values * 7 + 3).p == found.p
    assert trend(np.array(rungs), -values).value == pytest.approx(-found.value)


def test_the_trend_finds_a_ladder_and_holds_its_level_without_one():
    rng = np.random.default_rng(2)
    rungs = np.array([0, 0, 0, 1, 2, 2, 2, 3, 3])
    assert trend(rungs, rungs + 0.1 * rng.random(9)).p < 0.01
    p = [trend(rungs, rng.random(9)).p for _ in range(100)]
    assert sum(one <= 0.05 for one in p) <= 11
    many = np.repeat([0, 1, 2, 3], 5)
    assert trend(many, many + rng.normal(size=20)).p < 0.05
    assert "random ways" in trend(many, rng.random(20)).method


def test_few_encoders_have_no_p():
    found = trend(np.array([0, 1, 3]), np.array([0.1, 0.2, 0.3]))
    assert found.value == 1
    assert np.isnan(found.p)
    assert "no p: 3 encoders, where 5 are needed" in found.method


def test_differences_are_means_of_the_common_rows():
    first = toy({"a": 0.8, "b": 0.4}, seeds=(0, 1), supervision=SUPERVISION)
    second = toy({"c": 0.5}, rows=range(10, 70), rng=3, supervision=SUPERVISION)
    result = compare([first, second], n_resamples=100)
    assert result.provenance["n_rows"] == 50
    assert result.provenance["rows_left_out"] == 20
    assert "20 rows are not in all results" in result.summary()
    every = pd.concat([first.table, second.table])
    common = every[every["row_id"].isin([f"p{n}" for n in range(10, 60)])]
    means = common.groupby("encoder")["right"].mean()
    for one, other in (("a", "b"), ("a", "c"), ("b", "c")):
        claim, sign = result.difference(one, "named right", other)
        assert sign * claim["value"] == pytest.approx(means[one] - means[other])
        assert claim["n"] == 50


def test_partial_measures_are_compared_where_both_count():
    result = compare([one := toy({"a": 0.5, "b": 0.3}, seeds=(0, 1))], n_resamples=100)
    wide = one.table.pivot(index=["seed", "row_id"], columns="encoder", values="near").dropna()
    seeds = wide.groupby("seed").mean()
    claim = result.claim("a", "nearness, where both count", against="b")
    assert claim["value"] == pytest.approx((seeds["a"] - seeds["b"]).mean())
    assert np.isnan(claim["chance"])


def test_order_and_copies_change_nothing_and_the_newest_result_counts():
    parts = [toy({name: share}, rng=n) for n, (name, share) in enumerate({"a": 0.8, "b": 0.4, "c": 0.1}.items())]
    once = compare(parts, n_resamples=200)
    back = compare(parts[::-1], n_resamples=200)
    claim, sign = back.difference("a", "named right", "b")
    assert sign * claim["value"] == pytest.approx(once.claim("a", "named right", against="b")["value"])
    for name in ("a", "b", "c"):
        ranks = [result.level(name, "named right")[["rank_low", "rank_high"]].tolist() for result in (once, back)]
        assert ranks[0] == ranks[1]
    newer = toy({"a": 0.2}, rng=9, date="2026-02-02")
    assert compare([*parts, newer]).level("a", "named right")["value"] == newer.table["right"].mean()


def test_two_studies_are_told_apart_by_name_and_have_a_ladder_each():
    shares = {"a": 0.8, "b": 0.6, "c": 0.4, "d": 0.5, "a-random": 0.1}
    both = [toy(shares, study=name, rng=n, supervision=SUPERVISION) for n, name in enumerate(("one", "two"))]
    result = compare(both, n_resamples=100)
    assert result.compared[0] == "one/a"
    assert "two/a-random" in result.encoders
    assert result.study == "one, two"
    trends = result.estimates[result.estimates["against"] == "supervision"]
    assert {"every encoder of one", "every encoder of two"} <= set(trends["system"])
    assert set(trends["n"]) == {4, 5}, "an encoder counts once in a study"
    for name in result.figures:
        result.plot(name)


def test_the_ladder_takes_results_of_other_analyses():
    shares = {"a": 0.8, "b": 0.6, "c": 0.4, "d": 0.5, "a-random": 0.1}
    result = compare(
        [toy(shares, supervision=SUPERVISION), toy(shares, kind=Other, rng=5, supervision=SUPERVISION)], kind="toy"
    )
    assert set(result.table["kind"]) == {"toy", "other"}
    ranks = result.table.groupby("kind")["rank_low"].agg(lambda x: x.notna().any())
    assert ranks.to_dict() == {"other": False, "toy": True}
    trends = result.estimates[result.estimates["against"] == "supervision"]
    assert trends["group"].nunique() == 2
    assert "Kendall's tau with supervision by language" in result.summary()


def test_a_study_that_says_nothing_of_supervision_has_no_ladder():
    result = compare([toy({"a": 0.8, "b": 0.6})], n_resamples=100)
    assert (result.estimates["against"] == "supervision").sum() == 0
    assert "(`supervision:`), so there is no ladder" in result.summary()
    result.plot("ladder")


def test_a_result_saved_and_loaded_is_the_same(tmp_path):
    result = compare([toy({"a": 0.8, "b": 0.6}, supervision=SUPERVISION)], n_resamples=100)
    assert Comparison.load(result.save(tmp_path / "c")) == result
    assert list(result.headline()["encoder"]) == ["a", "b"]
    assert "chance 0.100" in result.headline()["named right"][0]


def test_too_few_rows_rank_nothing():
    result = compare([toy({"a": 0.9, "b": 0.1}, rows=range(12))], n_resamples=100)
    assert result.table["rank_low"].isna().all()
    assert "Nothing can be ranked" in result.summary()
    assert "no p: 12 rows" in result.claim("a", "named right", against="b")["method"]


BAD = {
    "no result": ([], {}, EmptyDataError, "no results to compare"),
    "one encoder": ([toy({"a": 0.5})], {}, EmptyDataError, "one encoder, `a`, and nothing to compare it with"),
    "several kinds": ([toy({"a": 0.5}), toy({"b": 0.5}, kind=Other)], {}, BadInputError, "several kinds: toy, other"),
    "another kind": ([toy({"a": 0.5, "b": 0.5})], {"kind": "x"}, EmptyDataError, "no `x` result; those given .* toy"),
    "no rows to pair": ([toy({"a": 0.5, "b": 0.2}, kind=Other)], {}, BadInputError, "`other` has a row a pair"),
    "other pictures": (
        [toy({"a": 0.5}), toy({"b": 0.5}, manifest="m2", rows=range(30))],
        {},
        MismatchError,
        r"not the same pictures \(60 and 30 rows",
    ),
    "other data": (
        [toy({"a": 0.5}, manifest=None), toy({"b": 0.5}, manifest=None, on="dev")],
        {},
        MismatchError,
        "about `test`, `b` of study `study` about `dev`: not the same pictures",
    ),
    "the microworld and photographs": (
        [toy({"a": 0.5}, study="microworld"), toy({"b": 0.5}, study="photographs", manifest="m2")],
        {},
        MismatchError,
        "drawn pictures of the microworld",
    ),
    "another tagger": (
        [toy({"a": 0.5}, tagger="spacy"), toy({"b": 0.5}, tagger="rules")],
        {},
        MismatchError,
        "not measured alike: tagger `spacy` and `rules`",
    ),
    "another judge": (
        [toy({"a": 0.5}, judge={"model": "x"}), toy({"b": 0.5}, judge={})],
        {},
        MismatchError,
        r"model `x` and \(none\)",
    ),
    "no picture in common": (
        [toy({"a": 0.5}), toy({"b": 0.5}, rows=range(100, 160))],
        {},
        MismatchError,
        r"No picture is in all results of `named right` \(a 60, b 60\)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told(name):
    results, options, error, message = BAD[name]
    with pytest.raises(error, match=message):
        compare(results, **options)


def test_what_was_measured_with_more_resamples_is_still_alike():
    assert len(compared([toy({"a": 0.5}, options={"seed": 1}), toy({"b": 0.5}, options={"seed": 2})], "")) == 2


def test_printed_values_stand_beside_those_of_the_papers_study_only():
    from concepttransfer.analyses.awa_errors import AwaErrors
    from concepttransfer.reproduce.published import read_paper

    def measured(study, **about):
        base = toy({"clip": 0.6, "nfrn50-random": 0.1}, study=study, **about)
        table = base.table.assign(
            on="awa2", caption="", named=None, wup=base.table["near"], overlap=np.nan, jaccard=np.nan
        )
        return AwaErrors(
            table=table.drop(columns="near"), estimates=base.estimates.assign(on="awa2"), provenance=base.provenance
        )

    printed = compare([measured("mine", paper="limber", on="awa2")], n_resamples=100)
    table = read_paper("limber").tables["animals"]
    right = next(column for column in table.columns if column.measure == "named right")
    assert printed.level("clip", "named right")["published"] == pytest.approx(table.value("clip", right) / right.scale)
    assert printed.level("nfrn50-random", "named right")["published"] == pytest.approx(0.004)
    assert "values stands what the paper printed" in printed.summary()
    printed.plot("ranking")
    for other in (measured("mine", on="awa2"), measured("limber", on="dev")):
        assert compare([other], n_resamples=100).table["published"].isna().all()


def test_a_doubtful_printed_value_is_marked():
    from concepttransfer.analyses._compare.given import System
    from concepttransfer.analyses._compare.printed import printed
    from concepttransfer.analyses.visual_questions import VisualQuestions

    row = {"row_id": "q", "encoder": "clip", "seed": 0, "shots": 1, "on": "vqa2", "picture": 0, "accuracy": 1.0}
    table = pd.DataFrame([row | dict.fromkeys(VisualQuestions.columns.keys() - row.keys(), None)])
    table = table.assign(whole=1.0, chance=0.0)
    result = VisualQuestions(
        table=table,
        estimates=pd.DataFrame(columns=list(ESTIMATES)).astype({"measure": "string"}),
        provenance={"study": "limber", "on": "vqa2", "options": {"truncate": "first-line"}},
    )
    found = {one["measure"]: one for one in printed(System("clip", "limber", "clip", result))}
    assert "39.93 is remembered" in found["accuracy after 1 shot"]["doubt"]
    assert "truncate gt-longest" in found["accuracy after 4 shots"]["doubt"]
    assert found["accuracy after 4 shots"]["published"] == pytest.approx(0.4034)
    alike = replace(result, provenance=result.provenance | {"options": {"truncate": "gt-longest"}})
    found = {one["measure"]: one for one in printed(System("clip", "limber", "clip", alike))}
    assert found["accuracy after 4 shots"]["doubt"] == ""
