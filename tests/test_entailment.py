"""Pairs of the microworld are what they say and tell nothing by the statement alone; how their answers are scored."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import concepttransfer as ct
from concepttransfer.analyses._entailment import estimates as est
from concepttransfer.analyses._entailment.hypothesis_only import HYPOTHESIS_ONLY, labels_from_hypotheses
from concepttransfer.analyses._entailment.labels import Pairs, label_of, marks
from concepttransfer.analyses.entailment import Entailment, entailment
from concepttransfer.answering import Answers
from concepttransfer.data import read_data
from concepttransfer.data.entailment import LABELS, answer_words, pair
from concepttransfer.data.premises import with_premises
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, UnknownNameError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.microworld.data import microworld_manifest, scene_of
from concepttransfer.microworld.grammar import PLACES, captions
from concepttransfer.microworld.scene import ANIMALS, COLOURS_OF_OBJECTS, OBJECTS, RELATIONS
from concepttransfer.study import pipeline
from concepttransfer.study.text_features import text_features
from concepttransfer.training.sources import TextFeatures

DOING = {"lying down": "lying", "hanging upside down": "hanging"}


@functools.cache
def world(split="dev", **more):
    return read_data({"reader": "microworld_entailment", "split": split, **more}, Path())


# the microworld's pairs


def truth(statement, scene):
    """What a statement is of a scene, read off its words and the scene alone."""
    if found := re.fullmatch(rf"The animal is ({'|'.join(RELATIONS)}) the (\w+)\.", statement):
        where, thing = found.groups()
        there, holds = scene.object == thing, scene.relation == where
    elif found := re.fullmatch(rf"The ({'|'.join(OBJECTS)}) is ({'|'.join(COLOURS_OF_OBJECTS)})\.", statement):
        thing, colour = found.groups()
        there, holds = scene.object == thing, scene.object_colour == colour
    else:
        animal, said = re.fullmatch(rf"The ({'|'.join(ANIMALS)}) is (.+)\.", statement).groups()
        there = scene.animal == animal
        holds = PLACES[scene.habitat] == said or scene.pose == DOING.get(said, said)
    return "neutral" if not there else "entailment" if holds else "contradiction"


@pytest.mark.parametrize("split", ["dev", "test"])
def test_each_pair_is_what_it_says_it_is(split):
    rows = world(split).rows
    assert len(rows) > 2.9 * len(microworld_manifest(split))
    for row in rows:
        assert truth(row.labels["question"], scene_of(row.picture)) == row.labels["gold"] == row.texts[0]


def test_each_premise_is_a_caption_of_its_picture_that_says_what_decides():
    for row in world().rows:
        scene, premise = scene_of(row.picture), row.labels["premise"]
        assert premise in captions(scene)
        statement, gold = row.labels["question"], row.labels["gold"]
        said = re.sub(r"^The [a-z ]+? is |\.$", "", statement)
        thing = scene.animal if row.labels["kind"] in ("place", "pose") else scene.object
        if gold == "neutral":
            about = re.search(r"the (\w+)\.$", statement) or re.match(r"The ([a-z ]+?) is ", statement)
            assert about[1] not in (scene.animal, scene.object)
            continue
        assert thing in premise
        if row.labels["kind"] == "relation":
            continue
        assert (f" {said}" in premise or f" {said} {thing}" in premise) == (gold == "entailment"), row


def test_every_statement_stands_with_each_label_equally_often():
    for split in ("dev", "test"):
        by_statement = defaultdict(Counter)
        for row in world(split).rows:
            by_statement[row.labels["question"]][row.labels["gold"]] += 1
        assert len(by_statement) > 150
        assert all(len(set(counts.values())) == 1 and len(counts) == 3 for counts in by_statement.values())


def test_a_bag_of_the_statements_words_is_right_one_time_in_three():
    """Fitted on one split and asked of another; and so would anything be that reads the statement alone."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    learnt, asked = world("test"), world("dev")
    words = CountVectorizer(ngram_range=(1, 3)).fit([row.labels["question"] for row in learnt.rows])
    model = MultinomialNB().fit(words.transform(r.labels["question"] for r in learnt.rows), learnt.labels("gold"))
    given = model.predict(words.transform(row.labels["question"] for row in asked.rows))
    assert np.mean(given == np.array(asked.labels("gold"))) == pytest.approx(1 / 3, abs=1e-12)


def test_the_picture_tells_and_whoever_sees_it_can_be_right():
    """The same classifier with the words of the premise crossed with the statement's does better than chance."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    def crossed(rows):
        return FeatureHasher(1 << 16, input_type="string").transform(
            [f"{a} {b}" for a, b in itertools.product(r.labels["premise"].split(), r.labels["question"].split())]
            for r in rows
        )

    learnt, asked = world("test"), world("dev")
    model = SGDClassifier(random_state=0).fit(crossed(learnt.rows), learnt.labels("gold"))
    assert np.mean(model.predict(crossed(asked.rows)) == np.array(asked.labels("gold"))) > 0.6


def test_splits_share_no_picture_and_are_the_same_each_time():
    dev, test = world("dev"), world("test")
    assert not {row.picture for row in dev.rows} & {row.picture for row in test.rows}
    assert read_data({"reader": "microworld_entailment", "split": "dev"}, Path()).id == dev.id
    assert set(Counter(dev.labels("kind"))) == {"place", "pose", "object-colour", "relation"}
    assert dev.read(0).size == (96, 96)
    with pytest.raises(UnknownNameError, match="Did you mean `test`"):
        read_data({"reader": "microworld_entailment", "split": "tests"}, Path())


def test_words_of_answers_and_texts_alone():
    yes = read_data({"reader": "microworld_entailment", "split": "dev", "answers": [True, "maybe", False]}, Path())
    words = {"entailment": ("yes",), "neutral": ("maybe",), "contradiction": ("no",)}
    assert all(row.texts == words[row.labels["gold"]] for row in yes.rows), "YAML reads yes as true"
    assert answer_words(["a", "b", "c"]) == dict(zip(LABELS, "abc", strict=True))
    texts = world(texts_only=True)
    assert (texts.pictures, {row.picture for row in texts.rows}) == (None, {None})
    assert [row.labels for row in texts.rows] == [row.labels for row in world().rows]


# what is read in the picture's place


def test_premises_take_the_place_of_texts_only_where_there_are_any():
    plain = microworld_manifest("dev").limit(20)
    assert with_premises(plain) is plain
    read = with_premises(world())
    assert read.ids == world().ids
    assert [row.texts for row in read.rows] == [(row.labels["premise"],) for row in world().rows]
    bare = Manifest("x", (Row("a", None, (), {"premise": "p"}), Row("b", None, ("t",), {"premise": "q"})))
    assert with_premises(bare).texts == ((), ("q",))


def test_a_fit_on_texts_reads_the_premise_and_learns_the_label(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path / "cache"))
    clip = {"model": "microworld:clip", "features": "projected", "normalize": True, "prompt_tokens": 2}
    recipe = {"reads": "texts", "data": "dev-entailment", "prompt": "\nQuestion: {question} Answer:"}
    said = {"name": "mine", "like": "microworld", "encoders": {"close": {**clip, "recipe": recipe}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(said))
    study = ct.load_study(tmp_path / "mine.yaml", quiet=True)
    some = study.select("dev-entailment")[0]
    monkeypatch.setattr(study, "training_of", lambda name: some.with_manifest(world().limit(24)))
    source, texts = pipeline._training_source(study, "close")
    rows = world().limit(24).rows
    assert texts == [row.texts for row in rows]
    captions_only = Manifest("p", tuple(Row(row.id, None, (row.labels["premise"],)) for row in rows))
    assert isinstance(source, TextFeatures)
    read = text_features(study, "close", some.with_manifest(captions_only))
    np.testing.assert_allclose(source.batch(np.arange(24)).numpy(), read.values[:], atol=1e-3)


# reading labels off texts


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("entailment", "entailment"),
        (" Yes, it is.", "entailment"),
        ("NO.", "contradiction"),
        ("no one knows", "contradiction"),
        ("maybe\nQuestion: what", "neutral"),
        ("contradiction</s>", "contradiction"),
        ("It is not.", ""),
        ("nothing", ""),
        ("the answer is yes", ""),
        ("", ""),
    ],
)
def test_a_text_answers_what_its_first_words_say(text, label):
    assert label_of(text) == label


def test_words_of_ones_own_come_before_those_known():
    words = {"not so": "contradiction", "not": "neutral", "is so": "entailment", "yes": "neutral"}
    assert [label_of(text, words) for text in ("Not so!", "not", "is so", "yes", "so")] == [
        *("contradiction", "neutral", "entailment", "neutral", ""),
    ]


# the analysis


def pairs(n=300, *, seed=0, tells=False, per_picture=2):
    """Pairs whose labels are drawn; with `tells` a word of the hypothesis gives the label away."""
    rng = np.random.default_rng([3, seed])
    words = answer_words(LABELS)
    rows = []
    for i in range(n):
        gold = str(rng.choice(LABELS))
        hypothesis = f"Thing {rng.integers(40)} is {gold[:2] + 'x' if tells else 'there'}."
        kind = ("place", "pose")[int(rng.random() < 0.4)]
        rows.append(pair(f"r{i}", f"p{i // per_picture}", f"caption {i}", hypothesis, gold, words, kind=kind))
    return Manifest("pairs", tuple(rows))


def answered(manifest, texts, *, encoder="clip", seed=0, shots=(0,), study="other"):
    frames = [
        pd.DataFrame({"row_id": list(manifest.ids), "shots": n, "text": list(given)})
        for n, given in zip(shots, texts, strict=True)
    ]
    table = pd.concat(frames, ignore_index=True).assign(sample=0, n_tokens=2, logprob=-1.0)
    meta = {"prompt": " Q: {question} A:"}
    return Answers(Path("none"), f"{encoder}-{seed}", table, encoder, seed, manifest.id, "pairs", study, meta)


def drawn(manifest, rng, share=0.0, none=0.0):
    """Right in so many pairs; in the others a label drawn, and in some nothing."""
    said = []
    for row in manifest.rows:
        other = "it depends" if rng.random() < none else str(rng.choice(LABELS, p=(0.5, 0.3, 0.2)))
        said.append(row.labels["gold"] if rng.random() < share else other)
    return said


@pytest.fixture(scope="module")
def manifest():
    return pairs()


@pytest.fixture(scope="module")
def result(manifest):
    rng = np.random.default_rng(0)
    given = [answered(manifest, [drawn(manifest, rng, none=0.3), drawn(manifest, rng)], encoder="blind", shots=(0, 4))]
    given += [
        answered(manifest, [drawn(manifest, rng, 0.8, 0.05), drawn(manifest, rng, 0.9)], seed=seed, shots=(0, 4))
        for seed in range(3)
    ]
    given += [answered(manifest, [drawn(manifest, rng)] * 2, encoder="clip-random", shots=(0, 4))]
    return entailment(given, manifest, n_resamples=300)


def test_levels_are_means_of_the_table_by_group(result):
    table = result.to_frame()
    assert len(table) == 300 * 2 * 6
    assert result.encoders == ("clip", "clip-random")
    assert result.systems == ("blind", "clip", "clip-random", HYPOTHESIS_ONLY)
    for (encoder, shots), rows in table.groupby(["encoder", "shots"]):
        some = {est.ALL: rows} | {f"gold: {gold}": part for gold, part in rows.groupby("gold")}
        some |= {f"kind: {kind}": part for kind, part in rows.groupby("kind")}
        assert set(some) == set(result.groups)
        for group, part in some.items():
            claim = result.accuracy(encoder, shots, group=group)
            assert claim["value"] == pytest.approx((part["answer"] == part["gold"]).mean())
            assert claim["value"] == pytest.approx(part["correct"].mean())
            assert claim["chance"] == pytest.approx(part["chance"].mean())
            assert claim["low"] <= claim["value"] <= claim["high"]
            surplus = result.accuracy(encoder, shots, group=group, against="chance")
            if not group.startswith("gold") and encoder != "blind":
                assert surplus["value"] == pytest.approx(claim["value"] - claim["chance"], abs=1e-9)
            assert claim["n"] == part["row_id"].nunique()


def test_confusion_counts_the_table(result, manifest):
    for system in result.systems:
        rows = result.to_frame().query("encoder == @system and shots == 0")
        for i, gold in enumerate(LABELS):
            mine = rows[rows["gold"] == gold]["answer"]
            wanted = [(mine == label).mean() for label in (*LABELS, "")]
            np.testing.assert_allclose(result.confusion(system)[i], wanted, atol=1e-12)
    seen = result.to_frame()[result.to_frame()["encoder"].isin(["clip", "clip-random"])]
    assert result.unanswered() == pytest.approx((seen["answer"] == "").mean())


def test_chance_is_what_shuffled_answers_score_within_each_kind(manifest):
    rng = np.random.default_rng(1)
    judged = Pairs.of(manifest.rows)
    given = drawn(manifest, rng, 0.5)
    scored = marks(given, judged)
    kinds, labels = np.array(judged.kinds), np.array(given)
    shuffled = []
    for _ in range(400):
        dealt = labels.copy()
        for kind in set(kinds):
            dealt[kinds == kind] = rng.permutation(dealt[kinds == kind])
        shuffled.append(np.mean(dealt == np.array(judged.gold)))
    assert scored.chance.mean() == pytest.approx(np.mean(shuffled), abs=4 * np.std(shuffled) / 20)
    assert scored.surplus.mean() == pytest.approx(scored.correct.mean() - scored.chance.mean())


def test_a_system_that_sees_stands_out_and_one_that_does_not_is_at_chance(result):
    clip = result.accuracy("clip", 0, against="chance")
    assert clip["low"] > 0.3
    assert clip["q"] < 0.05
    for system in ("clip-random", "blind", HYPOTHESIS_ONLY):
        surplus = result.accuracy(system, 0, against="chance")
        assert surplus["low"] < 0 < surplus["high"]
    assert result.accuracy("clip", 0, against="blind")["low"] > 0.3
    assert result.claim("clip", est.measure(0), against=HYPOTHESIS_ONLY)["low"] > 0.3


def test_intervals_hold_chance_for_unrelated_answers():
    held = 0
    for seed in range(60):
        some = pairs(80, seed=seed)
        rng = np.random.default_rng([9, seed])
        judged = Pairs.of(some.rows)
        scored = {("clip", 0): [marks(drawn(some, rng), judged)]}
        made = est.claims(scored, judged, n_resamples=199, seed=seed)
        (claim,) = (claim for claim in made if claim.against == "chance" and claim.group == est.ALL)
        held += claim.estimate.low <= 0 <= claim.estimate.high
    assert held >= 52


def test_a_word_that_gives_the_label_away_is_found_by_the_bag_of_words_and_nothing_else_is():
    told, untold = pairs(tells=True), pairs()
    for some, low, high in ((told, 0.95, 1.0), (untold, 0.2, 0.47)):
        judged = Pairs.of(some.rows)
        given = labels_from_hypotheses(judged.hypotheses, judged.gold)
        assert low <= np.mean(np.array(given) == np.array(judged.gold)) <= high


def test_pairs_of_one_hypothesis_do_not_tell_each_others_labels():
    """Three pairs a statement, one of each label: left out by pairs, two would tell the third."""
    judged = Pairs.of(world().rows)
    given = labels_from_hypotheses(judged.hypotheses, judged.gold)
    assert np.mean(np.array(given) == np.array(judged.gold)) == pytest.approx(1 / 3, abs=1e-12)
    assert labels_from_hypotheses(["a", "a", "a"], ["neutral", "neutral", "entailment"]) == ["neutral"] * 3


def test_order_of_rows_and_of_encoders_changes_no_number(manifest):
    rng = np.random.default_rng(4)
    a, b = drawn(manifest, rng, 0.7), drawn(manifest, rng, 0.4)
    order = rng.permutation(len(manifest))
    moved = Manifest("pairs", tuple(manifest.rows[i] for i in order))
    first = entailment([answered(manifest, [a]), answered(manifest, [b], encoder="b")], manifest, n_resamples=50)
    given = [answered(moved, [[said[i] for i in order]], encoder=name) for name, said in (("b", b), ("clip", a))]
    second = entailment(given, moved, n_resamples=50)
    for system in ("clip", "b"):
        for group in first.groups:
            one, two = first.accuracy(system, 0, group=group), second.accuracy(system, 0, group=group)
            assert one[["value", "chance"]].tolist() == pytest.approx(two[["value", "chance"]].tolist())


def test_words_tell_estimate_interval_chance_and_n(result):
    said = result.summary()
    assert "Of 300 pairs with 150 premises, clip judges (mean of 3 seeds)" in said
    assert "chance" in said
    assert "Without the premise: a bag of the hypothesis' words" in said
    assert "No label could be read from" in said
    assert "n = 300 pairs" in result.answer()
    assert list(result.headline()["encoder"])[-1] == "commonest label"
    assert result.commonest() == pytest.approx(result.to_frame()["gold"].value_counts(normalize=True).max())
    assert replace(result, provenance={**result.provenance, "study": "microworld"}).summary().startswith("In the micro")


def test_a_result_is_saved_whole_and_its_figures_only_draw(result, tmp_path):
    loaded = Entailment.load(result.save(tmp_path / "saved"))
    assert loaded == result
    for name in result.figures:
        figure = loaded.plot(name)
        texts = [text.get_text() for text in figure.findobj() if hasattr(text, "get_text")]
        assert any("300 pairs" in text for text in texts)
        assert any("chance" in text for text in texts)
    shown = [text.get_text() for text in loaded.plot("confusion").findobj() if hasattr(text, "get_text")]
    assert {f"{100 * share:.0f}" for share in loaded.confusion("clip").flat} <= set(shown)


def test_data_without_kinds_have_none(manifest):
    bare = Manifest("bare", tuple(replace(r, labels={**r.labels, "kind": ""}) for r in manifest.rows))
    some = entailment([answered(bare, [drawn(bare, np.random.default_rng(0))])], bare, n_resamples=20)
    assert some.groups == (est.ALL, "gold: entailment", "gold: neutral", "gold: contradiction")


def test_what_is_wrong_is_said(manifest):
    given = answered(manifest, [drawn(manifest, np.random.default_rng(0))])
    with pytest.raises(EmptyDataError, match="no answers"):
        entailment([], manifest)
    with pytest.raises(MismatchError, match="are to other pairs or with other shots"):
        entailment([given, answered(pairs(10), [["yes"] * 10], encoder="b")], manifest)
    with pytest.raises(EmptyDataError, match="None of the 300 pairs"):
        entailment([given], Manifest("x", (replace(manifest.rows[0], id="elsewhere"),)))
    unlabelled = Manifest("pairs", tuple(replace(r, labels={"question": "q"}) for r in manifest.rows))
    with pytest.raises(BadInputError, match=r"label `gold` is None.*microworld_entailment"):
        entailment([given], unlabelled)
    asks_nothing = Manifest("pairs", tuple(replace(r, labels={"gold": "neutral"}) for r in manifest.rows))
    with pytest.raises(BadInputError, match="asks nothing"):
        entailment([given], asks_nothing)
    ambiguous = Manifest("pairs", tuple(replace(r, texts=("same",)) for r in manifest.rows))
    with pytest.raises(BadInputError, match="a word of its own"):
        entailment([given], ambiguous)


# other tasks of CLOSE in the microworld


@pytest.mark.parametrize("premises", ["captions", "explanations"])
def test_questions_of_the_microworld_may_have_premises_and_are_else_the_same(premises):
    plain = read_data({"reader": "microworld_questions", "split": "dev"}, Path())
    told = read_data({"reader": "microworld_questions", "split": "dev", "premises": premises}, Path())
    assert (told.ids, told.texts) == (plain.ids, plain.texts)
    assert all(
        {**row.labels, "premise": ""} == {**other.labels, "premise": ""}
        for row, other in zip(told.rows, plain.rows, strict=True)
    )
    assert not any("premise" in row.labels for row in plain.rows)
    read = with_premises(told)
    for row, said in zip(told.rows, read.texts, strict=True):
        scene, answer = scene_of(row.picture), row.texts[0]
        if premises == "captions":
            assert said == captions(scene)
            continue
        (phrase,) = said
        assert scene.animal in phrase
        if answer not in ("yes", "no"):
            assert answer in phrase
        elif row.labels["question_type"] == "relation":
            assert (re.search(rf"is the {scene.animal} (.+) the", row.labels["question"], re.I)[1] in phrase) == (
                answer == "yes"
            )
        else:
            assert (" not " in phrase or " without " in phrase) == (answer == "no")
    with pytest.raises(UnknownNameError, match="Did you mean `captions`"):
        read_data({"reader": "microworld_questions", "split": "dev", "premises": "caption"}, Path())


def test_news_of_the_microworld_need_article_and_picture():
    news = read_data({"reader": "microworld_news", "split": "dev"}, Path())
    pictures = microworld_manifest("dev")
    assert [row.picture for row in news.rows] == [row.picture for row in pictures.rows]
    first = 0
    for row in news.rows:
        scene, article, name = scene_of(row.picture), row.labels["question"], row.labels["name"]
        told = re.findall(r"(\w+) is an? ([a-z ]+?)\. ", article)
        assert len({who for who, _ in told}) == len({animal for _, animal in told}) == 2
        assert (name, scene.animal) in told
        assert row.texts[0].startswith(f"{name}, the {scene.animal},")
        assert row.texts[0].endswith(PLACES[scene.habitat])
        assert row.texts == (row.labels["premise"],)
        first += told[0][0] == name
    assert 0.4 < first / len(news) < 0.6, "the article's order does not tell who is meant"
