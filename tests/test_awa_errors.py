"""Errors of naming are scored as a loop would; unrelated captions score chance; what is too little has no p."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from concepttransfer.analyses._awa_errors import estimates as est
from concepttransfer.analyses._awa_errors.chance import Naming, WrongNames
from concepttransfer.analyses._awa_errors.confusions import interaction, relabelled, renamed, shuffled_errors, table_of
from concepttransfer.analyses.awa_errors import PUBLISHED, AwaErrors, awa_errors
from concepttransfer.captioning import Captions
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.sources import animals
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import Result
from concepttransfer.statistics import false_discovery

CLASSES, THESE = est.GROUPS["classes"], est.GROUPS["pictures"]


class Words:
    """Finds names without WordNet: the concepts' own names, longest first, each where it is said."""

    def __init__(self, names):
        self.names = sorted(names, key=len, reverse=True)

    def mentions(self, text):
        found = []
        for name in self.names:
            if name in text:
                found.append((text.index(name), name))
                text = text.replace(name, " " * len(name))
        return [name for _, name in sorted(found)]


@pytest.fixture(scope="module")
def plain():
    """AwA2 with 10 pictures of each animal. WordNet is not read: names are found as they are, similarity is drawn."""
    every = animals(Manifest("one", (Row("x", labels={"class": "lion"}),)))
    rows = tuple(Row(f"{name}/{i}", labels={"class": name}) for name in every.names for i in range(10))
    return quick(animals(Manifest("awa2", rows)))


def quick(concepts):
    rng = np.random.default_rng(0)
    n = len(concepts.names)
    wup = rng.beta(6, 3, (n, n))
    np.fill_diagonal(wup, 1)
    concepts.__dict__.update(_finder=Words(concepts.names), wup_matrix=wup)
    concepts.__dict__["_depth"] = dict(zip(concepts.names, rng.permutation(n), strict=True)).__getitem__
    return concepts


def captions(texts, encoder="beit", seed=0, study="other"):
    table = pd.DataFrame({"row_id": list(texts), "text": list(texts.values())})
    table = table.assign(sample=0, prompt="A picture of", n_tokens=3, logprob=-1.0)
    return Captions(Path("none"), f"{encoder}-{seed}", table, encoder, seed, "m", "animals", study, {})


def said(concepts, skill, *, encoder="beit", seed=0, study="other", near=False, silent=0.1, key=0):
    """An encoder's captions: right with probability `skill`, else a random or (`near`) a similar animal, or none."""
    rng = np.random.default_rng([key, seed, len(encoder)])
    names, shared = list(concepts.names), concepts.overlap_matrices[1]
    texts = {}
    for row, truth in concepts.truth.items():
        weights = np.where(np.array(names) == truth, 0, shared[names.index(truth)] ** 8 if near else 1.0)
        name = truth if rng.random() < skill else rng.choice(names, p=weights / weights.sum())
        texts[row] = "a field" if rng.random() < silent else f"a {name} in a field"
    return captions(texts, encoder, seed, study)


def test_a_row_a_picture_scored_as_a_loop_would(plain):
    texts = {"lion/0": "a lion", "lion/1": "two tigers and a lion", "zebra/0": "a thing", "wolf/3": "a fox, a wolf"}
    made = awa_errors([captions(texts)], plain, n_resamples=50).to_frame().set_index("row_id")
    assert list(made["named"].fillna("-")) == ["lion", "tiger", "-", "fox"]
    assert list(made["right"]) == [True, False, False, False]
    assert made.loc[["lion/0", "zebra/0"], ["wup", "overlap", "jaccard"]].isna().all(axis=None)
    has = plain.attributes.astype(bool)
    for row, truth, name in (("lion/1", "lion", "tiger"), ("wolf/3", "wolf", "fox")):
        a, b = has.loc[truth], has.loc[name]
        assert made.loc[row, "overlap"] == pytest.approx((a & b).sum() / a.sum())
        assert made.loc[row, "jaccard"] == pytest.approx((a & b).sum() / (a | b).sum())
        assert (made.loc[row, "overlap"], made.loc[row, "jaccard"]) == pytest.approx(
            plain.attribute_overlap(truth, name)
        )
        assert made.loc[row, "wup"] == plain.wup_matrix[plain.names.index(truth), plain.names.index(name)]


def test_levels_are_means_of_the_table_over_seeds(plain):
    result = awa_errors([said(plain, 0.3, seed=s, near=True) for s in range(3)], plain, n_resamples=50)
    by_seed = result.table.groupby("seed")
    wanted = {
        est.RIGHT: by_seed["right"].mean().mean(),
        est.ANY: by_seed["named"].agg(lambda names: names.notna().mean()).mean(),
        est.WUP: by_seed["wup"].mean().mean(),
        est.OVERLAP: by_seed["overlap"].mean().mean(),
        est.JACCARD: by_seed["jaccard"].mean().mean(),
    }
    for measure, value in wanted.items():
        claim = result.claim("beit", measure)
        assert claim["value"] == pytest.approx(value)
        assert claim["low"] < value < claim["high"]
        assert (claim["n_clusters"], claim["n_seeds"]) == (50, 3)
    for measure in set(wanted) - {est.ANY}:
        claim, above = result.claim("beit", measure), result.claim("beit", measure, against="chance")
        assert above["value"] == pytest.approx(claim["value"] - claim["chance"], abs=1e-9)


def test_match_any_takes_the_right_one_of_several_and_pays_for_it_in_chance(plain):
    texts = {
        row: f"a {plain.truth[row]} and a fox" if i % 2 else "a fox and a lion" for i, row in enumerate(plain.truth)
    }
    first, anyone = (awa_errors([captions(texts)], plain, match=m, n_resamples=50) for m in ("first", "any"))
    assert anyone.claim("beit", est.RIGHT)["value"] >= first.claim("beit", est.RIGHT)["value"]
    rows = list(texts)
    mentions = {row: plain.find(texts[row], "any") for row in rows}
    by_hand = np.mean([[plain.truth[a] in mentions[b] for b in rows] for a in rows])
    assert anyone.claim("beit", est.RIGHT)["chance"] == pytest.approx(by_hand)


def test_chance_of_naming_right_is_that_of_captions_given_to_other_pictures(plain):
    texts = said(plain, 0.2, key=3).texts()
    result = awa_errors([captions(texts)], plain, n_resamples=50)
    truth, named = result.table["class"].to_numpy(), result.table["named"].fillna("").to_numpy()
    rng = np.random.default_rng(0)
    drawn = np.mean([(rng.permutation(named) == truth).mean() for _ in range(3000)])
    assert result.claim("beit", est.RIGHT)["chance"] == pytest.approx(drawn, abs=1e-3)
    always = awa_errors([captions(dict.fromkeys(texts, "a fox"))], plain, n_resamples=50)
    right = always.claim("beit", est.RIGHT)
    assert (right["value"], right["p"]) == (pytest.approx(right["chance"]), 1)


def test_wrong_names_are_permuted_as_by_enumeration():
    truth, named = np.array([0, 0, 1, 1, 2, 3]), np.array([1, 2, 2, 0, 0, 1])
    tables = [
        table_of(truth, names, 4)
        for order in itertools.permutations(range(6))
        if ((names := named[list(order)]) != truth).all()
    ]
    ours = shuffled_errors(truth, named, 4, np.random.default_rng(0), 20000)
    assert ours == pytest.approx(np.mean(tables, axis=0), abs=0.02)


def test_permuted_names_keep_their_numbers_and_are_never_right():
    rng = np.random.default_rng(1)
    truth, named = rng.integers(0, 12, 800), np.minimum(rng.geometric(0.3, 800), 11)
    truth, named = truth[truth != named], named[truth != named]
    ours = shuffled_errors(truth, named, 12, rng, 2000)
    assert np.diag(ours).max() == 0
    assert ours.sum(1) == pytest.approx(np.bincount(truth, minlength=12))
    assert ours.sum(0) == pytest.approx(np.bincount(named, minlength=12))
    fitted = 1.0 - np.eye(12)  # the limit for many pictures: quasi-independence, by iterative proportional fitting
    for _ in range(500):
        fitted *= (np.bincount(truth, minlength=12) / fitted.sum(1))[:, None]
        fitted *= np.bincount(named, minlength=12) / np.maximum(fitted.sum(0), 1e-300)
    assert ours == pytest.approx(fitted, abs=0.5)


def test_no_permitted_permutation_leaves_nothing():
    assert shuffled_errors(np.array([], int), np.array([], int), 3, np.random.default_rng(0)).sum() == 0
    one = shuffled_errors(np.array([0, 1]), np.array([1, 0]), 2, np.random.default_rng(0))
    assert one.tolist() == [[0, 1], [1, 0]]


def test_the_surplus_is_a_weighted_residual():
    rng = np.random.default_rng(2)
    table, similarity = rng.random((6, 6)) * (1 - np.eye(6)), rng.random((6, 6))
    design = np.array([[*(t == np.arange(6)), *(c == np.arange(6))] for t in range(6) for c in range(6)], dtype=float)
    root = np.sqrt(table.ravel())
    fitted = np.linalg.lstsq(root[:, None] * design, root * similarity.ravel(), rcond=None)[0]
    reference = (similarity.ravel() - design @ fitted).reshape(6, 6)
    assert interaction(similarity, table)[table > 0] == pytest.approx(reference[table > 0], abs=1e-6)


def test_permuting_descriptions_equals_permuting_rows_and_columns(plain):
    rng = np.random.default_rng(3)
    n = len(plain.names)
    surplus, order = rng.normal(size=(2, n, n)), np.stack([rng.permutation(n) for _ in range(4)])
    attributes = plain.attributes.to_numpy(dtype=float)
    for row, p in enumerate(order):
        has = attributes[p]
        overlap = (has @ has.T) / has.sum(1)[:, None]
        wanted = [(table * overlap).sum() for table in surplus]
        assert relabelled(plain.overlap_matrices[0], surplus, order)[row] == pytest.approx(wanted)
        assert renamed(surplus, order)[row] == pytest.approx([sum(t[i, p[i]] for i in range(n)) for t in surplus])


def test_the_uniform_wrong_animal_is_as_known(plain):
    result = awa_errors([said(plain, 0.1)], plain, n_resamples=20)
    level = {m: result.claim(est.UNIFORM, m, group="")["value"] for m in (est.RIGHT, est.OVERLAP, est.JACCARD)}
    assert level == pytest.approx({est.RIGHT: 1 / 50, est.OVERLAP: 0.521, est.JACCARD: 0.360}, abs=5e-4)
    assert result.claim(est.COMMONEST, est.RIGHT, group="")["value"] == pytest.approx(1 / 50)


def test_another_attribute_row_changes_what_is_found(plain):
    one = said(plain, 0.2, near=True)
    swapped = plain.attributes.copy()
    swapped.loc[["lion", "dolphin"]] = swapped.loc[["dolphin", "lion"]].to_numpy()
    other = quick(ConceptSet("swapped", plain.concepts, plain.truth, swapped))
    a, b = (awa_errors([one], concepts, n_resamples=20) for concepts in (plain, other))
    assert a.claim("beit", est.OVERLAP)["value"] != b.claim("beit", est.OVERLAP)["value"]
    assert a.claim("beit", est.WUP)["value"] == b.claim("beit", est.WUP)["value"]


def test_names_of_animals_and_order_of_rows_do_not_matter(plain):
    one = said(plain, 0.2, near=True)
    rows = list(one.texts().items())
    np.random.default_rng(0).shuffle(rows)
    a, b = (awa_errors([c], plain, n_resamples=400) for c in (one, captions(dict(rows))))
    for measure in (est.RIGHT, est.WUP, est.OVERLAP):
        x, y = a.claim("beit", measure), b.claim("beit", measure)
        assert x["value"] == pytest.approx(y["value"])
        assert x["chance"] == pytest.approx(y["chance"], abs=0.01)
        assert x["low"] == pytest.approx(y["low"], abs=0.02)


def test_errors_that_share_attributes_are_told_from_those_that_do_not(plain):
    given = [said(plain, 0.1, near=True), said(plain, 0.02, encoder="beit-random", key=2)]
    result = awa_errors(given, plain, n_resamples=500)
    near, random = (result.claim(x, est.OVERLAP, against="chance") for x in ("beit", "beit-random"))
    assert near["low"] > 0
    assert near["p"] < 0.01
    assert random["low"] <= 0 <= random["high"]
    for measure in (est.OVERLAP, est.OVERLAP + est.BOTH):
        difference = result.claim("beit", measure + est.ABOVE, against="beit-random")
        assert difference["low"] > 0
        assert difference["q"] < 0.05
        level = result.claim("beit", measure, against="beit-random")
        assert level["value"] - level["chance"] == pytest.approx(difference["value"], abs=1e-6)


def test_where_both_are_wrong_counts_those_pictures_only(plain):
    a, b = said(plain, 0.5, near=True), said(plain, 0.3, encoder="clip", key=6)
    result = awa_errors([a, b], plain, n_resamples=50)
    wide = result.table.pivot(index="row_id", columns="encoder", values="overlap").dropna()
    claim = result.claim("beit", est.OVERLAP + est.BOTH, against="clip")
    assert claim["n"] == len(wide)
    assert claim["value"] == pytest.approx((wide["beit"] - wide["clip"]).mean())


def test_a_random_control_stands_second_whatever_the_order(plain):
    given = [said(plain, 0.02, encoder="beit-random"), said(plain, 0.2)]
    pairs = awa_errors(given, plain, n_resamples=20).estimates.query("measure == @est.RIGHT").dropna(subset="against")
    assert set(zip(pairs["system"], pairs["against"], strict=True)) == {
        ("beit", "chance"),
        ("beit-random", "chance"),
        ("beit", "beit-random"),
    }


def test_equal_captions_differ_by_nothing(plain):
    texts = said(plain, 0.3).texts()
    result = awa_errors([captions(texts), captions(texts, "clip")], plain, n_resamples=100)
    between = result.estimates[result.estimates["against"] == "clip"]
    assert len(between) == 2 * 2 * 5
    assert between["value"].abs().max() == 0
    assert (between.loc[between["group"] == CLASSES, "p"].dropna() == 1).all()


def test_q_is_over_each_family(plain):
    given = [
        said(plain, 0.1, near=True),
        said(plain, 0.05, encoder="clip", key=7),
        said(plain, 0.3, encoder="vit", key=8),
    ]
    made = awa_errors(given, plain, n_resamples=200).estimates.query("group == @CLASSES")
    families = [made[made["against"].isna()], made[~made["against"].isin(["chance"]) & made["against"].notna()]]
    families[1] = families[1][~families[1]["measure"].str.endswith(est.ABOVE)]
    for family in families:
        assert family["q"].to_numpy() == pytest.approx(false_discovery(family["p"]), nan_ok=True)
        assert family["p"].notna().sum() in (12, 15)


def test_too_few_errors_or_classes_have_no_p_and_it_is_said(plain):
    texts = {row: f"a {plain.truth[row]}" for row in plain.truth}
    for row in list(texts)[:19]:
        texts[row] = "a fox"
    result = awa_errors([captions(texts)], plain, n_resamples=50)
    claim = result.claim("beit", est.OVERLAP)
    assert np.isnan(claim["p"])
    assert "no p: 19 pictures of 2 classes" in claim["method"]
    assert "too few" in result.summary()
    assert np.isfinite(result.claim("beit", est.RIGHT)["p"])


def test_nothing_wrong_and_nothing_named(plain):
    perfect = awa_errors([captions({row: f"a {name}" for row, name in plain.truth.items()})], plain, n_resamples=20)
    assert np.isnan(perfect.claim("beit", est.WUP)["value"])
    assert "none wrongly" in perfect.summary()
    silent = awa_errors([captions(dict.fromkeys(plain.truth, "nothing at all"))], plain, n_resamples=20)
    right = silent.claim("beit", est.RIGHT)
    assert (right["value"], right["low"]) == (0, 0)
    assert right["high"] == pytest.approx(1 - 0.025 ** (1 / 500))
    for result in (perfect, silent):
        for name in result.figures:
            result.plot(name)


def test_concepts_without_attributes_leave_the_overlap_out(plain):
    bare = quick(ConceptSet("words", plain.concepts, plain.truth))
    given = [said(plain, 0.3), said(plain, 0.02, encoder="beit-random")]
    result = awa_errors(given, bare, n_resamples=50)
    assert not result.estimates["measure"].str.contains("overlap").any()
    assert result.table[["overlap", "jaccard"]].isna().all(axis=None)
    assert "attributes" not in result.summary()
    assert not [column for column in result.headline() if "attributes" in column]
    for name in result.figures:
        result.plot(name)


def test_published_values_stand_beside_the_papers_study_only(plain):
    for study, wanted in (("limber", True), ("limber-small", False), ("microworld", False)):
        result = awa_errors([said(plain, 0.3, encoder="clip", study=study)], plain, n_resamples=20)
        assert result.estimates["study"].str.contains("published").any() == wanted
        assert any("published" in column for column in result.headline()) == wanted
        assert any("published" in text for text in texts_of(result.plot("shares"))) == wanted
        assert (result.published("clip", est.RIGHT) == PUBLISHED["clip"][est.RIGHT]) == wanted


def texts_of(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def test_every_figure_and_the_sentence_say_that_it_is_the_microworld(plain):
    for study in ("microworld", "photographs"):
        result = awa_errors([said(plain, 0.3, study=study)], plain, n_resamples=20)
        assert ("microworld" in result.summary()) == (study == "microworld")
        for name in result.figures:
            assert any("microworld" in text for text in texts_of(result.plot(name))) == (study == "microworld")


def test_the_sheet_shows_right_and_wrong_and_does_without_pictures(plain):
    result = awa_errors([said(plain, 0.5)], plain, n_resamples=20)
    rows = result.wanted_pictures()
    right = result.table.set_index("row_id").loc[rows, "right"]
    assert (len(rows), len(set(rows)), right.sum()) == (8, 8, 4)
    assert len({plain.truth[row] for row in rows}) == 8
    assert sum("not kept" in text for text in texts_of(result.plot("examples"))) == 8
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(held, "PNG")
    shown = result.with_pictures(dict.fromkeys(rows, held.getvalue()))
    assert not any("not kept" in text for text in texts_of(shown.plot("examples")))


def test_it_is_saved_and_loaded_as_it_was(plain, tmp_path):
    result = awa_errors([said(plain, 0.3, seed=s) for s in (1, 0)], plain, n_resamples=20)
    loaded = Result.load(result.save(tmp_path / "run"))
    assert isinstance(loaded, AwaErrors)
    assert loaded == result
    assert loaded.summary() == result.summary()
    again = awa_errors([said(plain, 0.3, seed=s) for s in (1, 0)], plain, n_resamples=20)
    assert again == result


def test_the_headline_says_what_the_claims_say(plain):
    result = awa_errors([said(plain, 0.3), said(plain, 0.02, encoder="beit-random")], plain, n_resamples=50)
    row = result.headline().iloc[0]
    right, wup = result.claim("beit", est.RIGHT), result.claim("beit", est.WUP)
    assert row["encoder"] == "beit"
    assert row["pictures"] == 500
    assert row["named right, %"] == pytest.approx(100 * right["value"], abs=0.06)
    assert row["95 % interval"] == f"{100 * right['low']:.1f} to {100 * right['high']:.1f}"
    assert row["chance, %"] == pytest.approx(100 * right["chance"], abs=0.06)
    level = result.claim("uniform", est.WUP, group="")["value"]
    said_so = row["Wu-Palmer of wrong names (chance; uniform)"]
    assert said_so == f"{wup['value']:.2f} ({wup['chance']:.2f}; {level:.2f})"
    assert row["attributes shared (chance; uniform)"].endswith("; 0.52)")


def test_captions_that_cannot_be_scored_are_refused(plain):
    a = said(plain, 0.3)
    with pytest.raises(EmptyDataError, match="no captions"):
        awa_errors([], plain)
    with pytest.raises(EmptyDataError, match="a picture whose class"):
        awa_errors([captions({"elsewhere": "a lion"})], plain)
    with pytest.raises(MismatchError, match="different pictures"):
        awa_errors([a, captions(dict(list(a.texts().items())[:-1]), "clip")], plain)
    more = captions({**a.texts(), "unknown": "a lion"})
    result = awa_errors([more], plain, n_resamples=20)
    assert len(result.table) == 500
    assert "1 captioned pictures have no known class" in result.summary()


def lions(n=1):
    """Pictures of lions, as AwA2 has them."""
    return animals(Manifest("awa2", tuple(Row(f"lion/{i}", labels={"class": "lion"}) for i in range(n))))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", 0), ("LION", 1), ("two LIONS, and nothing else!", 1), ("Löwe ライオン \U0001f981", 0), ("\x00\n\t", 0),
        ("lion " * 2000, 1),
    ],
)  # fmt: skip
def test_one_picture_and_any_caption(text, right):
    result = awa_errors([captions({"lion/0": text})], lions(), n_resamples=20)
    claim = result.claim("beit", est.RIGHT)
    assert (claim["value"], claim["n"]) == (right, 1)
    assert np.isnan(claim["p"]) or claim["p"] == 1
    for name in AwaErrors.figures:
        result.plot(name)


def test_one_class_says_no_more_than_chance():
    result = awa_errors([captions({f"lion/{i}": "a TIGER" if i % 2 else "a Lion" for i in range(12)})], lions(12))
    right = result.claim("beit", est.RIGHT)
    assert (right["value"], right["chance"]) == (0.5, 0.5)
    assert "too few for a p" in result.summary()


def test_real_names_and_synsets():
    """With WordNet: young and plural animals are named, the longest name wins, relatives are nearer than strangers."""
    said_of = {
        "grizzly bear/0": ("a grizzly bear", True),
        "polar bear/0": ("two grizzly bears on ice", False),
        "mouse/0": ("some mice", True),
        "bat/0": ("a bathtub", False),
        "wolf/0": ("a blue whale", False),
    }
    rows = tuple(Row(row, labels={"class": row.split("/")[0]}) for row in said_of)
    texts = {row: text for row, (text, _) in said_of.items()}
    made = awa_errors([captions(texts)], animals(Manifest("m", rows)), n_resamples=20).table.set_index("row_id")
    assert made["right"].to_dict() == {row: right for row, (_, right) in said_of.items()}
    assert pd.isna(made.loc["bat/0", "named"])
    assert made.loc["polar bear/0", "wup"] > 0.88 > made.loc["wolf/0", "wup"]


def unrelated(concepts, seed, n_resamples):
    """Claims about two encoders whose names have nothing to do with the pictures; each has favourites."""
    rng = np.random.default_rng([1, seed])
    n = len(concepts.names)
    truth = np.repeat(np.arange(n), 10)
    namings = []
    for encoder in ("a", "b"):
        liked = rng.permutation(1 / np.arange(1, n + 1) ** 0.5)
        named = rng.choice(n, p=liked / liked.sum(), size=(1, len(truth)))
        named[rng.random(named.shape) < 0.1] = -1
        mentions = ((np.flatnonzero(named[0] >= 0), named[0][named[0] >= 0]),)
        namings.append(Naming(encoder, truth, named, mentions, n))
    errors = [WrongNames(naming, naming.wrong, seed=seed, n_draws=100) for naming in namings]
    near = {est.WUP: concepts.wup_matrix, est.OVERLAP: concepts.overlap_matrices[0]}
    return est.claims(namings, errors, near, n_resamples=n_resamples, seed=seed)


def held(concepts, n, n_resamples):
    """For each claim about chance or a difference: is it a surplus, and the share of intervals that hold chance."""
    found = {}
    for seed in range(n):
        for claim in unrelated(concepts, seed, n_resamples):
            e = claim.estimate
            surplus = claim.against == "chance" or claim.measure.endswith(est.ABOVE) or claim.measure == est.RIGHT
            key = (claim.system if claim.against in (None, "chance") else "", claim.measure, claim.against, claim.group)
            if np.isfinite(e.chance):
                found.setdefault((surplus, key), []).append(e.low <= e.chance <= e.high)
    return {key: np.mean(hits) for key, hits in found.items()}


def test_unrelated_captions_score_chance(plain):
    shares = held(plain, 100, 400)
    assert len(shares) == 2 * 2 * 2 * 3 + 2 * 2 * 5
    assert min(shares.values()) >= 0.89


@pytest.mark.slow
def test_unrelated_captions_score_chance_in_95_percent(plain):
    """Levels are for other classes, whose chance differs too, so theirs hold it more often; surpluses do not."""
    for (surplus, key), share in held(plain, 1000, 500).items():
        assert share >= 0.92, key
        assert share <= 0.98 or not surplus, key
