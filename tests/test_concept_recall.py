"""Words of captions are scored as loops would; shuffled captions score chance; what is too little is told."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from concepttransfer.analyses._concept_recall import presence as m
from concepttransfer.analyses._concept_recall.claims import REFERENCE, claims
from concepttransfer.analyses._concept_recall.groups import KINDS, groups
from concepttransfer.analyses._concept_recall.presence import Said
from concepttransfer.analyses._concept_recall.words import Reader
from concepttransfer.analyses.concept_recall import ConceptRecall, concept_recall
from concepttransfer.captioning import Captions
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, MissingResourceError
from concepttransfer.language import wordnet
from concepttransfer.language.parts_of_speech import tagger
from concepttransfer.manifest import Manifest, Row
from concepttransfer.microworld.grammar import captions as written
from concepttransfer.microworld.scene import ANIMALS, sample_scene
from concepttransfer.result import Result

SHARES = (m.PRECISION, m.RECALL, m.F1)
ANIMAL = ("dog", "horse", "elephant", "zebra")
PLACE = ("beach", "forest", "street")
COLOUR = ("red", "white", "black")
ACTION = ("walk", "sit", "graze")


def captions(texts, encoder="beit", seed=0, study="other"):
    table = pd.DataFrame({"row_id": list(texts), "text": list(texts.values())})
    table = table.assign(sample=0, prompt="A picture of", n_tokens=3, logprob=-1.0)
    return Captions(Path("none"), f"{encoder}-{seed}", table, encoder, seed, "m", "captions", study, {})


def references(texts):
    return Manifest("pictures", tuple(Row(row, texts=tuple(every)) for row, every in texts.items()))


def sentence(rng):
    forms = {"walk": "walking", "sit": "sitting", "graze": "grazing"}
    animal, place, action = rng.choice(ANIMAL), rng.choice(PLACE), forms[rng.choice(ACTION)]
    return f"a {rng.choice(COLOUR)} {animal} {action} near a {place}"


def world(n, *, seed=0, n_references=3):
    rng = random.Random(seed)
    return {f"p{i}": [sentence(rng) for _ in range(n_references)] for i in range(n)}


def recall(given, truth, **options):
    options = {"tagger": "rules", "n_resamples": 100} | options
    return concept_recall(given, references(truth), **options)


def said_in(text):
    """What a sentence of `sentence` says, by its place in it."""
    words = text.split()
    base = {"walking": "walk", "sitting": "sit", "grazing": "graze"}
    if len(words) < 7:
        return set()
    return {
        f"nouns/animals/{words[2]}", f"nouns/environment/{words[6]}", f"modifiers/colour/{words[1]}",
        f"relations/{'posture' if words[3] == 'sitting' else 'action'}/{base[words[3]]}", "relations/spatial/near",
    }  # fmt: skip


@pytest.fixture(scope="module")
def three():
    """Three seeds of an encoder and one of its control, beside three references of 40 pictures; and the result."""
    truth = world(40, seed=1)
    rng = random.Random(2)
    said = [
        captions(
            {row: rng.choice(every) if rng.random() < 0.5 else sentence(rng) for row, every in truth.items()}, e, s
        )
        for e, s in (("beit", 0), ("beit", 1), ("beit", 2), ("beit-random", 0))
    ]
    said[0].table.loc[3, "text"] = ""
    return truth, said, recall(said, truth)


def test_shares_are_those_of_plain_loops(three):
    truth, said, result = three
    every = {row: set().union(*map(said_in, texts)) for row, texts in truth.items()}
    words = sorted(set().union(*every.values()))
    assert sorted(w for kind in KINDS for w in result.provenance["words"][kind]) == words
    for group in ["nouns", "modifiers", "relations", "nouns/animals", "relations/action", "nouns/animals/dog"]:
        mine = [w for w in words if w == group or w.startswith(group + "/")]
        found = []
        for one in said[:3]:
            spoken = {row: said_in(text) for row, text in one.texts().items()}
            both = n_said = n_true = by_chance = 0
            for row in truth:
                for word in mine:
                    both += word in spoken[row] and word in every[row]
                    n_said += word in spoken[row]
                    n_true += word in every[row]
                    by_chance += sum(word in spoken[other] and word in every[row] for other in truth) / len(truth)
            found.append([(x / n_said, x / n_true, 2 * x / (n_said + n_true)) for x in (both, by_chance)])
        value, chance = np.mean(found, axis=0)
        for n, measure in enumerate(SHARES):
            claim, above = (result.claim("beit", measure, group=group, against=a) for a in (None, "chance"))
            assert (claim["value"], claim["chance"]) == (pytest.approx(value[n]), pytest.approx(chance[n]))
            assert above["value"] == pytest.approx(value[n] - chance[n], abs=1e-12)
            assert claim["n_seeds"] == 3
            assert claim["low"] <= claim["value"] <= claim["high"]


def test_a_category_is_named_by_any_word_of_it(three):
    truth, said, result = three
    for category in ("nouns/animals", "relations/action", "relations/posture"):
        found = []
        for one in said[:3]:
            spoken = [any(w.startswith(category) for w in said_in(t)) for t in one.texts().values()]
            true = [any(w.startswith(category) for t in texts for w in said_in(t)) for texts in truth.values()]
            both = sum(a and b for a, b in zip(spoken, true, strict=True))
            found.append((both / sum(spoken), both / sum(true), 2 * both / (sum(spoken) + sum(true))))
        for measure, value in zip((m.ANY_PRECISION, m.ANY_RECALL, m.ANY_F1), np.mean(found, axis=0), strict=True):
            assert result.claim("beit", measure, group=category)["value"] == pytest.approx(value)


def test_nearness_is_that_of_plain_loops(three):
    truth, said, result = three
    texts = said[3].texts()
    rows = list(truth)
    nouns = {row: {w.split("/")[2] for w in said_in(texts[row]) if w.startswith("nouns")} for row in rows}
    true = {
        row: {w.split("/")[2] for t in every for w in said_in(t) if w.startswith("nouns")}
        for row, every in truth.items()
    }
    sense = groups("")[0].sense

    def near(word, row):
        return max((1.0 if word == o else wordnet.wup_to_word(sense(word), o) for o in nouns[row]), default=0.0)

    words = set().union(*true.values())
    all_of = [near(word, row) for row in rows for word in true[row]]
    chance = [near(word, other) for row in rows for word in true[row] for other in rows]
    missed = [(word, near(word, row)) for row in rows for word in true[row] if word not in nouns[row]]
    elsewhere = {word: np.mean([near(word, row) for row in rows if word not in nouns[row]]) for word in words}
    claim = result.claim("beit-random", m.WUP)
    assert (claim["value"], claim["chance"]) == (pytest.approx(np.mean(all_of)), pytest.approx(np.mean(chance)))
    claim = result.claim("beit-random", m.MISSED)
    assert claim["value"] == pytest.approx(np.mean([value for _, value in missed]))
    assert claim["chance"] == pytest.approx(np.mean([elsewhere[word] for word, _ in missed]))
    above = result.claim("beit-random", m.MISSED, against="chance")["value"]
    assert above == pytest.approx(claim["value"] - claim["chance"], abs=1e-12)


def test_one_reference_is_scored_against_the_others(three):
    truth, _, result = three
    first = {row: texts[0] for row, texts in truth.items()}
    others = recall([captions(first)], {row: texts[1:] for row, texts in truth.items()})
    for measure in (*SHARES, m.WUP):
        assert result.claim(REFERENCE, measure)["value"] == pytest.approx(others.claim("beit", measure)["value"])
    assert pd.isna(result.claim(REFERENCE, m.RECALL)["p"])


def test_an_encoder_is_compared_with_its_random_control(three):
    _, _, result = three
    for group in ("nouns", "nouns/animals"):
        claim = result.claim("beit", m.RECALL, group=group, against="beit-random")
        alone = [result.claim(e, m.RECALL, group=group) for e in ("beit", "beit-random")]
        assert claim["value"] == pytest.approx(alone[0]["value"] - alone[1]["value"])
        assert claim["chance"] == pytest.approx(alone[0]["chance"] - alone[1]["chance"])
        above = result.claim("beit", m.RECALL + ", above chance", group=group, against="beit-random")
        assert above["value"] == pytest.approx(claim["value"] - claim["chance"], abs=1e-12)
    assert 0 < claim["p"] <= 1
    tests = result.estimates.dropna(subset=["p"])
    assert (tests["q"] >= tests["p"] - 1e-12).all()


def test_neither_order_nor_capitals_matter(three):
    truth, said, result = three
    rng = random.Random(5)
    mixed = {row: rng.sample([text.upper() + "." for text in texts], len(texts)) for row, texts in truth.items()}
    rows = rng.sample(list(mixed), len(mixed))
    shouted = [
        captions({row: one.texts()[row].title() for row in rows}, one.encoder, one.seed) for one in (said[3], *said[:3])
    ]
    other = recall(shouted, {row: mixed[row] for row in reversed(rows)})
    wanted = result.estimates[result.estimates["system"] != REFERENCE].set_index(["system", "group", "measure"])
    found = other.estimates[other.estimates["system"] != REFERENCE].set_index(["system", "group", "measure"])
    level = wanted[wanted["against"].isna()]
    same = found[found["against"].isna()].loc[level.index]
    np.testing.assert_allclose(same["value"], level["value"], atol=1e-12)
    np.testing.assert_allclose(same["chance"], level["chance"], atol=1e-12)


def test_the_same_captions_three_times_are_no_more_than_once(three):
    truth, said, _ = three
    texts = said[3].texts()
    once, thrice = (recall([captions(texts, seed=s) for s in range(n)], truth) for n in (1, 3))
    for measure in (*SHARES, m.WUP):
        one, many = once.claim("beit", measure), thrice.claim("beit", measure)
        assert many["value"] == pytest.approx(one["value"])
        assert many["high"] - many["low"] >= 0.99 * (one["high"] - one["low"])
        assert many["n"] == one["n"]


def test_captions_that_are_the_references_are_perfect():
    truth = world(30, seed=3)
    result = recall([captions({row: ". ".join(texts) for row, texts in truth.items()})], truth)
    levels = result.estimates[(result.estimates["system"] == "beit") & result.estimates["against"].isna()]
    levels = levels[levels["measure"] != m.MISSED]
    assert len(levels) > 50
    assert (levels["value"] == 1).all()
    assert (levels["high"] == 1).all()
    assert pd.isna(result.claim("beit", m.MISSED)["value"])


def test_the_right_place_and_a_wrong_animal_are_told_apart():
    """A coarse encoder: every place right, every animal wrong, but always an animal."""
    truth = world(60, seed=4, n_references=1)
    wrong = dict(zip(ANIMAL, (*ANIMAL[1:], ANIMAL[0]), strict=True))
    texts = {}
    for row, (text,) in truth.items():
        words = text.split()
        texts[row] = " ".join([*words[:2], wrong[words[2]], *words[3:]])
    result = recall([captions(texts)], truth)
    places, beasts = "nouns/environment", "nouns/animals"
    assert [result.claim("beit", x, group=places)["value"] for x in SHARES] == [1, 1, 1]
    assert [result.claim("beit", x, group=beasts)["value"] for x in SHARES] == [0, 0, 0]
    assert result.claim("beit", m.ANY_RECALL, group=beasts)["value"] == 1
    assert result.claim("beit", m.RECALL, group=beasts)["high"] < 0.1
    near = result.claim("beit", m.WUP, group=beasts)
    sense = groups("")[0].sense
    wanted = [
        max(wordnet.wup_to_word(sense(true), said) for said in (wrong[true], text.split()[6]))
        for (text,) in truth.values()
        for true in [text.split()[2]]
    ]
    assert near["value"] == pytest.approx(np.mean(wanted))
    assert result.claim("beit", m.RECALL, group="nouns")["value"] == 0.5


def drawn(rng, n, kept, added, n_seeds=1, n_words=6):
    """True words at random; each is said with probability `kept`, each other with `added`."""
    true = rng.random((n, n_words)) < rng.uniform(0.1, 0.5, n_words)
    odds = np.where(true, kept, added)
    said = rng.random((n_seeds, n, n_words)) < odds
    return said_of(true, said, rng)


def said_of(true, said, rng):
    similarity = rng.uniform(0.3, 0.8, (true.shape[1], true.shape[1]))
    np.fill_diagonal(similarity, 1)
    near = np.where(said[..., None, :], similarity, 0.0).max(-1)
    return Said("beit", true, said, true[:, :1], said[..., :1], near, np.arange(len(true)))


COLUMNS = {"nouns": np.arange(6), "nouns/animals": np.arange(3), "nouns/animals/dog": np.array([0])}


def claims_of(one, seed):
    made = claims([one], COLUMNS, ["nouns/animals"], n_resamples=200, seed=seed, method="")
    return {(c.group, c.measure, c.against): c.estimate for c in made}


def test_intervals_hold_what_is_known():
    """Each true word is said with probability .6, others so that half of what is said is true."""
    held = dict.fromkeys(((g, x) for g in COLUMNS for x in (m.RECALL, m.PRECISION)), 0)
    rng = np.random.default_rng(0)
    for run in range(100):
        true = rng.random((150, 6)) < 0.3
        one = said_of(true, rng.random((1, 150, 6)) < np.where(true, 0.6, 0.6 * 0.3 / 0.7), rng)
        made = claims_of(one, run)
        for group, measure in held:
            low, high = (getattr(made[group, measure, None], end) for end in ("low", "high"))
            held[group, measure] += low <= (0.6 if measure == m.RECALL else 0.5) <= high
    assert min(held.values()) >= 89, held


@pytest.mark.parametrize("n_seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_unrelated_captions_hold_chance(n_seeds):
    """Words are said whatever is true, more of them in some captions than in others, alike in all seeds."""
    measures = (*SHARES, m.ANY_RECALL, m.WUP, m.MISSED)
    held = {(g, x): 0 for g in COLUMNS for x in measures if x != m.ANY_RECALL or g == "nouns/animals"}
    small = dict.fromkeys(held, 0)
    rng = np.random.default_rng(n_seeds)
    for run in range(100):
        true = rng.random((150, 6)) < rng.uniform(0.1, 0.6, 6)
        talks = rng.uniform(0.2, 0.7, (150, 1))
        made = claims_of(said_of(true, rng.random((n_seeds, 150, 6)) < talks, rng), run)
        for key in held:
            estimate = made[(*key, "chance")]
            held[key] += estimate.low <= 0 <= estimate.high
            small[key] += estimate.p < 0.05
    assert min(held.values()) >= 89, held
    assert max(small.values()) <= 12, small


def test_a_skilled_encoder_is_told_from_chance():
    made = claims_of(drawn(np.random.default_rng(3), 150, kept=0.7, added=0.2), 0)
    for measure in (*SHARES, m.WUP):
        above = made["nouns", measure, "chance"]
        assert above.low > 0
        assert above.p < 0.01


def test_the_grouping_file_knows_the_microworld():
    """What is in a drawn picture is found in its references, in the right category."""
    reader = Reader(tagger("rules"), groups("")[0])
    places = {"indoors": "room", "coastal": "coast", "fields": "field", "plains": "plain", "mountains": "mountain"}
    for number in range(200):
        scene = sample_scene(ANIMALS[number % len(ANIMALS)], number)
        found = {w.group for words in reader.words(written(scene)) for w in words}
        assert f"nouns/animals/{scene.animal}" in found
        place = places.get(scene.habitat, "scrub" if scene.habitat == "bush" else scene.habitat)
        wanted = f"nouns/environment/{place}"
        assert wanted in found or not any(place in text for text in written(scene))
        if scene.object_colour is not None:
            assert f"modifiers/colour/{scene.object_colour}" in found
        if scene.relation is not None and any(scene.relation in text for text in written(scene)):
            assert f"relations/spatial/{scene.relation}" in found


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("teddy bears on top of it", {"nouns/objects/teddy bear", "relations/spatial/on top of"}, "nouns/animals/bear"),
        ("a blue whale", {"nouns/animals/blue whale", "nouns/animals/whale"}, "modifiers/colour/blue"),
        ("a polar bear", {"nouns/animals/polar bear", "nouns/animals/bear"}, "modifiers/other/polar"),
        ("a hot dog next to a fork", {"relations/spatial/next to"}, "nouns/animals/dog"),
        ("a little dog in front of a grey cat", {"nouns/animals/dog", "modifiers/colour/gray"}, "nouns/other/front"),
        ("a man riding horses", {"relations/action/ride", "nouns/animals/horse"}, "nouns/animals/riding horse"),
        ("a lady laying on a sofa", {"nouns/people/woman", "relations/posture/lie", "nouns/furniture/couch"}, ""),
        ("2 stop signs", {"modifiers/number/two", "nouns/objects/stop sign"}, "nouns/other/stop"),
        ("there is someone who is doing it", set(), "relations/action/do"),
    ],
)  # fmt: skip
def test_words_are_read_as_people_mean_them(text, wanted, unwanted):
    (words,) = Reader(tagger("rules"), groups("")[0]).words([text])
    found = {word.group for word in words}
    assert wanted <= found
    assert unwanted not in found


def test_every_category_of_the_paper_is_there():
    ours = groups("")[0]
    assert {"people", "animals", "environment", "vehicles", "objects", "food"} <= set(ours.nouns)
    assert {"colour", "size", "material", "number"} <= set(ours.modifiers)
    assert {"spatial", "action"} <= set(ours.relations)


def test_ones_own_words_and_categories(tmp_path, three):
    truth, said, _ = three
    (tmp_path / "words.yaml").write_text("nouns: [Dogs, unicorn, teddy bears]\nrelations: [walking, near]\n")
    (tmp_path / "groups.yaml").write_text(
        "name: mine\nnouns:\n  pets: {words: [dog]}\nmodifiers: {}\nrelations:\n  doing: {verbs: true}\n"
    )
    result = recall(said[:1], truth, words=str(tmp_path / "words.yaml"), categories=str(tmp_path / "groups.yaml"))
    assert result.provenance["words"] == {
        "nouns": ["nouns/pets/dog", "nouns/other/teddy bear", "nouns/other/unicorn"],
        "modifiers": [],
        "relations": ["relations/doing/walk", "relations/other/near"],
    }
    assert result.kinds == ("nouns", "relations")
    assert result.provenance["categories"]["name"] == "mine"
    assert "No reference says teddy bear, unicorn: these words have no recall." in result.summary()
    assert pd.isna(result.claim("beit", m.RECALL, group="nouns/other/unicorn")["value"])
    assert "no modifiers" not in result.summary()
    for figure in result.figures:
        result.plot(figure)


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("words", "[dog, cat]", "is no word list"),
        ("words", "nouns: [on, off]\nrelations: [yes, on]", "need quotes"),
        ("words", "beasts: [dog]", "is no word list"),
        ("words", "nouns: [", "is no YAML"),
        ("words", "nouns: [and/or]", "is no word list"),
        ("categories", "name: x", "nouns: Field required"),
        ("categories", "name: x\nnouns: {a: {synset: [dog.n.01]}}\nmodifiers: {}\nrelations: {}", "nouns.a.synset"),
        ("categories", "name: x\nnouns: {a: {synsets: [dog.n.99]}}\nmodifiers: {}\nrelations: {}", "dog.n.99"),
        ("categories", "name: x\nnouns: {a/b: {}}\nmodifiers: {}\nrelations: {}", "may not hold a `/`"),
        ("categories", "name: x\nnouns: {}\nmodifiers: {}\nrelations: {a: {words: [on]}}", "need quotes"),
    ],
)
def test_a_bad_file_is_told(tmp_path, three, option, content, said):
    truth, given, _ = three
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(BadInputError, match=said.replace("`", ".")):
        recall(given[:1], truth, **{option: str(file)})
    with pytest.raises(BadInputError, match="cannot be read"):
        recall(given[:1], truth, **{option: str(tmp_path / "none.yaml")})


def test_what_is_missing_is_counted_and_said():
    truth = world(30, seed=6)
    texts = {row: every[0] for row, every in truth.items()} | {"p0": "", "p1": "  "}
    truth["p2"], truth["p3"] = [], ["   "]
    result = recall([captions(texts)], truth)
    words = result.summary()
    assert "2 captioned pictures have no reference and are left out." in words
    assert "2 captions are empty." in words
    assert len(result.table) == 28
    assert "4 nouns" not in words
    assert "7 nouns, 3 modifiers, 4 relations" in words


@pytest.mark.parametrize("text", ["", "🙂🙂", "ein Zebra läuft", "A DOG!!!", "zwölf \u202e gnus \x00", "-" * 300])
def test_one_picture_and_any_caption(text, tmp_path):
    result = recall([captions({"p": text})], {"p": ["a dog near the sea"]})
    assert "of 1 pictures" in result.summary()
    assert result.claim("beit", m.RECALL)["n"] == 1
    assert result.estimates["p"].isna().all()
    assert pd.isna(result.claim("beit", m.RECALL)["low"])
    for figure in result.figures:
        result.plot(figure).savefig(tmp_path / "figure.png")
    assert Result.load(result.save(tmp_path / "result")) == result


def test_nothing_to_score_is_told():
    one = captions({"p": "a dog"})
    with pytest.raises(EmptyDataError, match="There are no captions"):
        recall([], {"p": ["a dog"]})
    with pytest.raises(EmptyDataError, match="has a reference caption in `pictures`"):
        recall([one], {"p": []})
    with pytest.raises(EmptyDataError, match="no nouns, modifiers or relations"):
        recall([one], {"p": ["!!! ???"]})
    with pytest.raises(MismatchError, match="different pictures"):
        recall([one, captions({"q": "a dog"}, seed=1)], {"p": ["a dog"]})
    with pytest.raises(BadInputError, match="Give --n-words 1 or more"):
        recall([one], {"p": ["a dog"]}, n_words=0)


def test_the_tagger_is_in_all_that_is_said(three, monkeypatch, tmp_path):
    import nltk.data

    truth, said, result = three
    assert result.tagger == "rules-1 over WordNet 3.0"
    assert result.estimates["method"].str.contains(result.tagger, regex=False).all()
    assert f"parts of speech by {result.tagger}, not to be compared" in result.summary()
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(MissingResourceError, match=r"nltk\.downloader"):
        recall(said[:1], truth, tagger="nltk")


def test_a_result_comes_back_as_it_was(three, tmp_path):
    _, _, result = three
    again = ConceptRecall.load(result.save(tmp_path / "result"))
    assert again.wanted_pictures() == result.wanted_pictures()
    assert again == result
    assert again.summary() == result.summary()
    assert again.headline().equals(result.headline())
    frame = again.words("nouns")
    assert list(frame["word"].unique()) == [w.split("/")[2] for w in result.provenance["words"]["nouns"]]
    for figure in result.figures:
        assert again.plot(figure) is not None


def test_the_same_seed_gives_the_same_and_another_only_moves_intervals(three):
    truth, said, result = three
    assert recall(said, truth) == result
    other = recall(said, truth, seed=1)
    assert other.estimates["value"].equals(result.estimates["value"])
    assert not other.estimates["low"].equals(result.estimates["low"])


def test_the_most_frequent_words_are_chosen():
    truth = {"p": ["a dog and a dog"], "q": ["a cat near a dog"], "r": ["a horse in a red room"]}
    result = recall([captions(dict.fromkeys(truth, "a dog"))], truth, n_words=1)
    assert result.provenance["words"] == {
        "nouns": ["nouns/animals/dog"],
        "modifiers": ["modifiers/colour/red"],
        "relations": ["relations/spatial/in"],
    }
