"""Gains are those of plain loops; without a look at the picture nothing is gained; what is too little is told."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from concepttransfer.analyses._concept_recall.groups import groups
from concepttransfer.analyses._concept_recall.words import Reader
from concepttransfer.analyses._runoff import estimates as est
from concepttransfer.analyses._runoff.presence import shares, table
from concepttransfer.analyses._runoff.quantities import Pair, Quantity, claims
from concepttransfer.analyses._runoff.spoken import Flat, Spoken
from concepttransfer.analyses._runoff.truth import CLASSES, REFERENCES, Truth
from concepttransfer.analyses._runoff.words import CaptionReader
from concepttransfer.analyses.runoff import Runoff, runoff
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.concept_set import Concept
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.language.parts_of_speech import tagger
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import Result
from concepttransfer.scoring.token_scores import BLANK, NONE, OTHER, PICTURE, TokenScores
from concepttransfer.scoring.token_scores import table as token_table
from concepttransfer.statistics.resampling import Ratio

ANIMALS, PLACES = ("dog", "horse", "zebra", "whale"), ("beach", "forest", "street", "room")
EVERY = (PICTURE, BLANK, OTHER, NONE)


def scores(texts, encoder="beit", seed=0, *, conditions=EVERY, gain=None, noise=0.0):
    """Scores of captions whose words are two tokens each; `gain(row, number, condition)` is the picture's, in nats."""
    rng = np.random.default_rng([seed, len(encoder)])
    rows = []
    for row, text in texts.items():
        for number, word in enumerate(text.split()):
            drawn = rng.normal(size=len(conditions)) * noise
            gains = [0.0 if c == PICTURE else gain(row, number, c) if gain else 1.0 for c in conditions]
            likely = [-1.0 - g + x for g, x in zip(gains, drawn, strict=True)]
            rows += [(row, len(rows), 5, f" {word}", number, *(p / 4 for p in likely))]
            rows += [(row, len(rows), 6, "", number, *(3 * p / 4 for p in likely))]
        rows.append((row, len(rows), 0, "", -1, *(-9.0,) * len(conditions)))
    ids = list(texts)
    others = {row: ids[n - 1] for n, row in enumerate(ids)} if OTHER in conditions else {}
    meta = {"conditions": list(conditions), "blank": "grey"}
    made = token_table(rows, conditions)
    key = f"{encoder}-{seed}"
    return TokenScores(Path("none"), key, made, dict(texts), others, encoder, seed, "m", "captions", "other", meta)


def references(texts):
    return Manifest("pictures", tuple(Row(row, texts=tuple(every)) for row, every in texts.items()))


def analysed(given, truth, classes=None, **options):
    return runoff(given, references(truth), classes, **({"tagger": "rules", "n_resamples": 100} | options))


def world(n, seed=0):
    rng = random.Random(seed)
    return {f"p{i}": (rng.choice(ANIMALS), rng.choice(PLACES)) for i in range(n)}


def told(scenes):
    return {
        row: [f"a {animal} in a {place}", f"the {place} with a {animal}"] for row, (animal, place) in scenes.items()
    }


def said(scenes, seed=0, right=0.6):
    """`a ANIMAL near the PLACE`, each right with some probability."""
    rng = random.Random(seed)

    def one(truth, every):
        return truth if rng.random() < right else rng.choice(every)

    return {row: f"a {one(a, ANIMALS)} near the {one(p, PLACES)}" for row, (a, p) in scenes.items()}


def uneven(row, number, condition):
    return {BLANK: 0.3, OTHER: 0.5, NONE: 0.1}[condition] * (number - 1) + int(row[1:]) / 100


@pytest.fixture(scope="module")
def two():
    """Two seeds of an encoder and one of its control on 40 pictures; and the result."""
    scenes = world(40, 1)
    given = [scores(said(scenes, s), e, s, gain=uneven, noise=0.2) for e, s in (("beit", 0), ("beit", 1))]
    given.append(scores(said(scenes, 9, right=0.0), "beit-random", 0, gain=uneven, noise=0.2))
    given[0].texts["p3"] = ""
    given[0].table.drop(given[0].table.query("row_id == 'p3' and word >= 0").index, inplace=True)
    return scenes, given, analysed(given, told(scenes))


def words_of(one):
    """Row, number, word, number of words, and log-likelihoods of each word."""
    likely = {}
    for row, number, *values in one.table[["row_id", "word", *EVERY]].itertuples(index=False, name=None):
        sums = likely.setdefault((row, number), dict.fromkeys(EVERY, 0.0))
        for name, value in zip(EVERY, values, strict=True):
            sums[name] += value
    for row, text in one.texts.items():
        words = text.split()
        yield from ((row, number, word, len(words), likely[row, number]) for number, word in enumerate(words))


def test_gains_are_those_of_plain_loops(two):
    _, given, result = two
    picks = {
        est.ALL: lambda word, number, n: True,
        est.EARLY: lambda word, number, n: 3 * number < n,
        est.MIDDLE: lambda word, number, n: n <= 3 * number < 2 * n,
        est.LATE: lambda word, number, n: 3 * number >= 2 * n,
        est.FUNCTION: lambda word, number, n: word in ("a", "near", "the"),
        est.CONTENT: lambda word, number, n: word not in ("a", "near", "the"),
        "word 2": lambda word, number, n: number == 1,
    }
    for group, pick in picks.items():
        for contrast, measure in est.GAINS.items():
            if group == "word 2" and contrast == NONE:
                continue
            means = []
            for one in given[:2]:
                gains = [p[PICTURE] - p[contrast] for _, k, word, n, p in words_of(one) if pick(word, k, n)]
                means.append(np.mean(gains))
            claim = result.claim("beit", measure, group=group)
            assert claim["value"] == pytest.approx(np.mean(means)), (group, contrast)
            assert claim["chance"] == 0
            assert claim["low"] <= claim["value"] <= claim["high"]
            assert (claim["n_seeds"], claim["n"]) == (2, 40)
    late, early = (result.claim("beit", est.GAINS[BLANK], group=g)["value"] for g in (est.LATE, est.EARLY))
    difference = result.claim("beit", est.GAINS[BLANK], group=est.LATE, against=est.EARLY)
    assert difference["value"] == pytest.approx(late - early)
    control = result.claim("beit", est.GAINS[BLANK], against="beit-random")
    both = [result.claim(e, est.GAINS[BLANK])["value"] for e in ("beit", "beit-random")]
    assert control["value"] == pytest.approx(both[0] - both[1])


def test_shares_of_what_is_not_there_are_those_of_plain_loops(two):
    scenes, given, result = two
    picks = {est.EVERYTHING: (1, 4), est.FIRST: (1,), est.LATER: (4,), est.EARLY: (1,), est.LATE: (4,)}
    for group, places in picks.items():
        values, chances = [], []
        for one in given[:2]:
            names = [(row, word) for row, k, word, _, _ in words_of(one) if k in places]
            values.append(np.mean([name not in scenes[row] for row, name in names]))
            chances.append(np.mean([name not in scenes[other] for _, name in names for other in scenes]))
        claim = result.claim("beit", est.ABSENT, group=group)
        assert (claim["value"], claim["chance"]) == (pytest.approx(np.mean(values)), pytest.approx(np.mean(chances)))
        above = result.claim("beit", est.ABSENT, group=group, against="chance")
        assert above["value"] == pytest.approx(claim["value"] - claim["chance"], abs=1e-12)
    for group, is_there in ((est.THERE, True), (est.NOT_THERE, False)):
        unasked, by_chance = [], []
        for one in given[:2]:
            mine = [p for row, k, word, _, p in words_of(one) if k in (1, 4) and (word in scenes[row]) == is_there]
            unasked.append(np.mean([p[PICTURE] <= p[BLANK] for p in mine]))
            by_chance.append(np.mean([p[OTHER] <= p[BLANK] for p in mine]))
        claim = result.claim("beit", est.RUNOFF, group=group)
        assert (claim["value"], claim["chance"]) == (
            pytest.approx(np.mean(unasked)),
            pytest.approx(np.mean(by_chance)),
        )


def test_the_table_counts_what_the_estimates_are_made_of(two):
    scenes, given, result = two
    assert len(result.table) == 3 * 40
    row = result.table[(result.table["encoder"] == "beit") & (result.table["seed"] == 1)].iloc[7]
    text = given[1].texts["p7"]
    named = [word for word in text.split() if word in ANIMALS + PLACES]
    assert (row["row_id"], row["caption"], row["words"], row["other"]) == ("p7", text, 5, "p6")
    assert (row["named"], row["not_there"]) == (2, sum(name not in scenes["p7"] for name in named))
    gains = [p[PICTURE] - p[BLANK] for r, _, _, _, p in words_of(given[1]) if r == "p7"]
    assert row["over_blank"] == pytest.approx(np.mean(gains))
    empty = result.table[(result.table["row_id"] == "p3") & (result.table["words"] == 0)]
    assert len(empty) == 1
    assert np.isnan(empty["over_blank"].iloc[0])
    assert result.provenance["empty_captions"] == 1
    assert "1 captions are empty" in result.summary()


def test_neither_the_order_of_pictures_nor_that_of_encoders_matters(two):
    scenes, given, _ = two
    rows = list(scenes)[::-1]
    turned = [
        scores({row: one.texts[row] for row in rows}, one.encoder, one.seed, gain=lambda *_: 1.0) for one in given[1:]
    ]
    straight = [
        scores({row: one.texts[row] for row in scenes}, one.encoder, one.seed, gain=lambda *_: 1.0) for one in given[1:]
    ]
    a, b = analysed(turned[::-1], told(scenes)), analysed(straight, told(scenes))
    for system in ("beit", "beit-random"):
        for group in (est.EVERYTHING, est.FIRST, est.LATER):
            assert a.claim(system, est.ABSENT, group=group)["value"] == pytest.approx(
                b.claim(system, est.ABSENT, group=group)["value"]
            )


def flat(gains, rng, *, n_rows, n_words, seeds=1):
    """Words of captions with these mean gains (one a seed) over a blank picture, and noise of a picture and a word."""
    made = []
    for gain in np.resize(gains, seeds):
        row = np.repeat(np.arange(n_rows), n_words)
        noise = rng.normal(size=n_rows)[row] * 0.5 + rng.standard_t(4, size=len(row))
        score = {PICTURE: np.zeros(len(row)), BLANK: -(gain + noise)}
        number = np.tile(np.arange(n_words), n_rows)
        words = Flat(row, number, 3 * number // n_words, score)
        none = np.zeros(0, dtype=np.int64)
        things = Flat(none, none, none, {name: np.zeros(0) for name in score})
        given = SimpleNamespace(conditions=(PICTURE, BLANK))
        flags = np.zeros(len(row), dtype=bool)
        made.append(Spoken(given, (), words, flags, np.zeros(len(row), int), things, none, none.astype(bool)))
    return made


def measured_gain(gain, seed, *, n_rows=60, n_words=5, seeds=1):
    systems = {"beit": flat([gain], np.random.default_rng(seed), n_rows=n_rows, n_words=n_words, seeds=seeds)}
    every = est.quantities(systems, n_rows, None, np.zeros(n_rows, dtype=bool))
    mine = [one for one in every if one.group in (est.ALL, est.EARLY, est.LATE)]
    late = Pair(("beit", est.LATE, est.GAINS[BLANK]), ("beit", est.EARLY, est.GAINS[BLANK]), est.EARLY)
    return claims(mine, [late], n_resamples=200, seed=seed)


@pytest.mark.parametrize(("gain", "seeds"), [(0.0, 1), (0.0, 3), (1.3, 1)])
def test_intervals_hold_the_known_gain(gain, seeds):
    """A language model that ignores the picture has gain 0; one that the picture determines has a known one."""
    held, late, p = 0, 0, []
    for seed in range(100):
        made = measured_gain(gain, seed, seeds=seeds)
        level = next(c.estimate for c in made if c.group == est.ALL and c.against is None)
        difference = next(c.estimate for c in made if c.against == est.EARLY)
        held += level.low <= gain <= level.high
        late += difference.low <= 0 <= difference.high
        p.append(level.p)
    assert held >= 89
    assert late >= 89
    if gain == 0:
        assert np.mean(np.array(p) < 0.05) <= 0.12
    else:
        assert max(p) < 0.05


def test_captions_that_are_as_likely_without_the_picture_gain_exactly_nothing():
    scenes = world(30)
    result = analysed([scores(said(scenes), gain=lambda *_: 0.0)], told(scenes))
    for measure in est.GAINS.values():
        claim = result.claim("beit", measure)
        assert (claim["value"], claim["low"], claim["high"]) == (0, 0, 0)
        assert claim["p"] == 1
    for group in (est.THERE, est.NOT_THERE):
        claim = result.claim("beit", est.RUNOFF, group=group)
        assert (claim["value"], claim["chance"]) == (1, 1)


def test_words_that_the_picture_determines_have_the_gain_that_was_put_in():
    scenes = world(30)
    gain = {BLANK: 2.0, OTHER: 3.0, NONE: 1.5}

    def asked(row, number, condition):
        return gain[condition] if number in (1, 4) else 0.0

    result = analysed([scores(said(scenes, right=1.0), gain=asked)], told(scenes))
    for contrast, measure in est.GAINS.items():
        assert result.claim("beit", measure, group=est.CONTENT)["value"] == pytest.approx(gain[contrast])
        assert result.claim("beit", measure, group=est.FUNCTION)["value"] == pytest.approx(0)
        assert result.claim("beit", measure)["value"] == pytest.approx(gain[contrast] * 2 / 5)
        assert result.claim("beit", measure, group=est.THERE)["value"] == pytest.approx(gain[contrast])
    assert result.claim("beit", est.ABSENT, group=est.EVERYTHING)["value"] == 0
    assert result.claim("beit", est.RUNOFF, group=est.THERE)["value"] == 0


def test_shares_of_unrelated_captions_hold_chance():
    held, n_things = 0, 6
    for seed in range(100):
        rng = np.random.default_rng(seed)
        rate = rng.dirichlet(np.ones(n_things))
        true = table(np.arange(80), rng.choice(n_things, 80, p=rate), (80, n_things))
        spoken = table(np.arange(80), rng.choice(n_things, 80, p=rate), (80, n_things))
        share = shares([spoken], true)[0].complement()
        one = Quantity("beit", "all", "absent", share.level, share.chance, share.surplus)
        above = next(c.estimate for c in claims([one], [], n_resamples=200, seed=seed) if c.against == "chance")
        held += above.low <= 0 <= above.high
    assert held >= 89


def test_shares_are_those_of_dense_tables():
    rng = np.random.default_rng(3)
    true = rng.random((50, 7)) < 0.3
    spoken = [rng.poisson(0.4, (50, 7)) for _ in range(2)]
    sparse = table(*np.nonzero(true), true.shape)
    found = shares([sparse.__class__(one) for one in spoken], sparse)
    for share, bottom in zip(found, ([one.sum() for one in spoken], [true.sum()] * 2), strict=True):
        both = [(one * true).sum() / b for one, b in zip(spoken, bottom, strict=True)]
        dealt = [
            np.mean([(one * np.roll(true, shift, axis=0)).sum() for shift in range(50)]) / b
            for one, b in zip(spoken, bottom, strict=True)
        ]
        value = share.level.numerator.sum(1) / share.level.denominator.sum(1)
        assert value.tolist() == pytest.approx(both)
        surplus = share.surplus.numerator.sum(1) / share.surplus.denominator.sum(1)
        assert (value - surplus).tolist() == pytest.approx(dealt)
        assert share.chance == pytest.approx(np.mean(dealt))


def test_q_is_over_a_family_and_counts_a_test_once():
    rng = np.random.default_rng(0)
    some = [
        Quantity(
            "beit", f"g{n}", "m", Ratio(rng.normal(n / 10, 1, (1, 50)), np.ones((1, 50))), family="a" if n else "b"
        )
        for n in range(4)
    ]
    made = {c.group: c.estimate for c in claims(some, [], n_resamples=400, seed=0)}
    p = np.sort([made[f"g{n}"].p for n in (1, 2, 3)])
    by_hand = np.minimum.accumulate((p * 3 / np.arange(1, 4))[::-1])[::-1]
    assert sorted(made[f"g{n}"].q for n in (1, 2, 3)) == pytest.approx(by_hand)
    assert made["g0"].q == pytest.approx(made["g0"].p)


def reader():
    return Reader(tagger("rules"), groups("")[0])


CATS = ConceptSet(
    "cats",
    (
        Concept("dog", "dog.n.01", ("dog",)),
        Concept("killer whale", "killer_whale.n.01", ("killer whale", "orca")),
        Concept("dolphin", "dolphin.n.02", ("dolphin",)),
    ),
    {"p0": "dog", "p1": "killer whale"},
)


def test_what_a_thing_is_a_kind_of_is_there_too():
    rows, texts = ["p0", "p1", "p2"], [["a dog on the grass"], ["a killer whale in the sea"], []]
    truth = Truth(reader(), rows, texts, None)
    nouns = ["animal", "dog", "dolphin", "grass", "killer whale", "poodle", "whale"]
    found = truth.table(nouns).toarray().astype(bool)
    assert [n for n, true in zip(nouns, found[0], strict=True) if true] == ["animal", "dog", "grass"]
    assert [n for n, true in zip(nouns, found[1], strict=True) if true] == [
        "animal",
        "dolphin",
        "killer whale",
        "whale",
    ]
    assert not found[2].any()
    assert (truth.source, truth.known.tolist()) == (REFERENCES, [True, True, False])
    by_class = Truth(reader(), rows, texts, CATS).table(nouns).toarray().astype(bool)
    assert not by_class[1, nouns.index("dolphin")]
    assert by_class[1, nouns.index("whale")]


def test_where_only_classes_are_known_only_their_names_are_judged():
    truth = Truth(reader(), ["p0", "p1", "p2"], [["dog."], ["killer whale."], ["dog."]], CATS)
    assert (truth.source, truth.known.tolist()) == (CLASSES, [True, True, False])
    assert truth.counts(["dog", "house", "orca"]).tolist() == [True, False, True]
    assert truth.table(["dog", "orca"]).toarray().tolist() == [[1, 0], [0, 1], [0, 0]]
    texts = {"p0": "a dog in a house", "p1": "a dog", "p2": "a dog"}
    result = analysed([scores(texts)], {"p0": ["dog."], "p1": ["killer whale."], "p2": []}, CATS)
    claim = result.claim("beit", est.ABSENT, group=est.EVERYTHING)
    assert (claim["value"], claim["n"]) == (0.5, 2)
    assert "Only names of classes are judged" in result.summary()


def test_names_stand_where_they_are_written():
    read = CaptionReader(reader()).read("A Polar Bear, near the St. John's dog-house!")
    assert next((one.noun, one.first, one.last) for one in read.named) == ("polar bear", 1, 2)
    assert read.words[1:3] == ("Polar", "Bear,")
    assert read.is_function[:5] == (True, False, False, True, True)
    assert all(0 <= one.first <= one.last < len(read.words) for one in read.named)


def test_references_of_the_microworld_tell_all_that_is_in_its_pictures():
    """Five captions of a picture leave out hardly anything: what is called not there is not there."""
    from concepttransfer.microworld.data import microworld_manifest, scene_of
    from concepttransfer.microworld.grammar import PLACES as HABITATS

    manifest = microworld_manifest("dev")
    whole = [row.texts for row in manifest.rows]
    asked, lacking = 0, 0
    for row, texts in zip(manifest.rows, whole, strict=True):
        scene, every = scene_of(row.picture), " ".join(texts)
        things = [scene.animal, HABITATS[scene.habitat].split()[-1], *([scene.object] if scene.object else [])]
        asked += len(things)
        lacking += sum(thing not in every for thing in things)
    assert asked > 1000
    assert lacking / asked < 0.002


def test_capitals_unicode_and_captions_that_name_nothing():
    texts = {"p0": "A DOG IN THE FOREST", "p1": "シマウマ 🦓", "p2": "in and of the", "p3": "!!! ..."}
    told_of = {"p0": ["a dog in a forest"], "p1": ["a zebra"], "p2": ["a horse"], "p3": ["a whale"]}
    result = analysed([scores(texts)], told_of)
    rows = result.table.set_index("row_id")
    assert (rows.loc["p0", "named"], rows.loc["p0", "not_there"]) == (2, 0)
    assert rows.loc["p2", "named"] == 0
    assert rows["words"].tolist() == [5, 2, 4, 2]
    for name in result.figures:
        result.plot(name)
    nothing = analysed([scores({"p0": "in and of", "p1": "of the"})], {"p0": ["a dog"], "p1": ["a cat"]})
    assert np.isnan(nothing.claim("beit", est.ABSENT, group=est.EVERYTHING)["value"])
    assert nothing.claim("beit", est.GAINS[BLANK])["value"] == pytest.approx(1)
    nothing.plot("absent")


def test_without_references_or_classes_words_are_measured_and_things_are_not():
    scenes = world(25)
    result = analysed([scores(said(scenes))], {row: [] for row in scenes})
    assert result.claim("beit", est.GAINS[BLANK])["value"] == pytest.approx(1)
    assert result.table["named"].isna().all()
    assert "neither references nor known classes" in result.summary()
    for name in result.figures:
        result.plot(name)


def test_one_picture_has_a_value_and_neither_interval_nor_p():
    result = analysed([scores({"p0": "a dog"}, conditions=(PICTURE, BLANK, NONE))], {"p0": ["a dog"]})
    claim = result.claim("beit", est.GAINS[BLANK])
    assert claim["value"] == pytest.approx(1)
    assert math.isnan(claim["low"])
    assert math.isnan(claim["p"])
    assert "no p: 1 pictures, where 20 are needed" in claim["method"]
    assert np.isnan(result.claim("beit", est.GAINS[OTHER])["value"])
    assert "No other picture" in result.summary()
    for name in result.figures:
        result.plot(name)


def test_what_cannot_be_measured_is_told():
    with pytest.raises(EmptyDataError, match="no captions to score"):
        analysed([], {"p0": ["a dog"]})
    with pytest.raises(EmptyDataError, match="All captions are empty"):
        analysed([scores({"p0": "", "p1": " "})], {"p0": ["a dog"]})
    with pytest.raises(MismatchError, match="different pictures"):
        analysed([scores({"p0": "a dog"}), scores({"p1": "a dog"}, "clip")], {"p0": ["a dog"]})
    broken = scores({"p0": "a dog", "p1": "a cat"})
    broken.table.loc[6, BLANK] = np.nan
    with pytest.raises(BadInputError, match=r"caption of `p1` by beit has a score that is no number \(`blank`\)"):
        analysed([broken], {"p0": ["a dog"]})
    short = scores({"p0": "a big dog"})
    short.texts["p0"] = "a dog"
    with pytest.raises(MismatchError, match="are of other captions"):
        analysed([short], {"p0": ["a dog"]})


def test_a_saved_result_is_the_same_and_draws_the_same(two, tmp_path):
    *_, result = two
    result.save(tmp_path / "r")
    read = Result.load(tmp_path / "r")
    assert isinstance(read, Runoff)
    assert read == result
    for name in result.figures:
        result.plot(name)
    shown = result.provenance["examples"]
    assert read.wanted_pictures() == result.wanted_pictures()
    rows = read.wanted_pictures()
    assert set(rows) == set(shown)
    means = [np.mean([gain for _, gain, _ in shown[row]["beit"]] or [-np.inf]) for row in rows]
    assert means == sorted(means, reverse=True)
    assert {word[2] for one in shown.values() for words in one.values() for word in words} == {"", "there", "not there"}
