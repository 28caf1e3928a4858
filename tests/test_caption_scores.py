"""Caption scores equal their references; shuffled captions score chance; what is missing is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from caption_samples import WORDS, captions, described, drawn, needs_java, references

from concepttransfer.analyses._caption_scores import measures as m
from concepttransfer.analyses._caption_scores import pairs
from concepttransfer.analyses._caption_scores.chance import added, count, shuffles
from concepttransfer.analyses._caption_scores.claims import Captioner, Setting, claims, control, score
from concepttransfer.analyses._caption_scores.corpus import Corpus
from concepttransfer.analyses._caption_scores.resampling import Summed, resample
from concepttransfer.analyses.caption_scores import CaptionScores, caption_scores
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, UnknownNameError
from concepttransfer.language.caption_tokens import tokens
from concepttransfer.result import Result
from concepttransfer.scoring.training_texts import TrainingTexts


def by_library(said, texts):
    """pycocoevalcap's BLEU, ROUGE-L and CIDEr on our words: the scores of the set, and of each picture."""
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    theirs = {row: [" ".join(tokens(t)) for t in texts[row]] for row in said}
    ours = {row: [" ".join(tokens(t))] for row, t in said.items()}
    bleu, _ = Bleu(4).compute_score(theirs, ours, verbose=0)
    rouge, each_rouge = Rouge().compute_score(theirs, ours)
    cider, each_cider = Cider().compute_score(theirs, ours)
    return [*bleu, rouge, cider], each_rouge, each_cider


def check_against_library(said, texts):
    result = caption_scores([captions(said)], references(texts), n_resamples=20)
    whole, rouge, cider = by_library(said, texts)
    ours = [result.claim("beit", measure)["value"] for measure in (*m.BLEU, m.ROUGE, m.CIDER)]
    assert ours == pytest.approx(whole, abs=1e-9)
    assert result.table["rouge_l"].to_numpy() == pytest.approx(rouge, abs=1e-9)
    assert result.table["cider_d"].to_numpy() == pytest.approx(cider, abs=1e-9)


def test_the_published_example_to_six_digits(real):
    folder = real / "captions" / "nlgeval"
    read = {name: (folder / f"{name}.txt").read_text().splitlines() for name in ("hyp", "ref1", "ref2")}
    said = dict(zip("ab", read["hyp"], strict=True))
    texts = {row: [read["ref1"][n], read["ref2"][n]] for n, row in enumerate("ab")}
    result = caption_scores([captions(said)], references(texts), n_resamples=20)
    published = dict(zip(m.BLEU, (0.55, 0.428174, 0.284043, 0.201143), strict=True))
    published |= {m.ROUGE: 0.522104, m.CIDER: 1.242192}
    for measure, value in published.items():
        assert result.claim("beit", measure)["value"] == pytest.approx(value, abs=5e-7)


def test_scores_of_cocos_captions_equal_pycocoevalcaps(real):
    read = json.loads((real / "captions" / "coco_captions_val2017.json").read_text())["annotations"]
    texts = {}
    for one in sorted(read, key=lambda a: a["id"])[:2500]:
        texts.setdefault(str(one["image_id"]), []).append(one["caption"])
    texts = {row: t for row, t in list(texts.items())[:400] if len(t) > 1}
    assert len(texts) > 300
    check_against_library({row: t[0] for row, t in texts.items()}, {row: t[1:] for row, t in texts.items()})


def test_awkward_captions_score_as_in_pycocoevalcap():
    rng = np.random.default_rng(0)
    texts = drawn(40, 4)
    said = described(texts, rng, 0.7)
    awkward = [
        "",
        "...",
        "a a a a a a the the",
        "A BIG RED DOG",
        "dog",
        "un éléphant à côté d'un 東京 tower",
        "ball ball",
    ]
    said |= dict(zip(said, awkward, strict=False))
    said["row 20"] = " ".join(rng.choice(WORDS, 150))
    texts["row 21"] = [" ".join(rng.choice(WORDS, 90)), "a dog"]
    said["row 21"] = texts["row 21"][0]
    texts["row 22"] = ["dog"]
    check_against_library(said, texts)


def test_frequencies_of_a_file_are_those_of_its_documents(tmp_path):
    texts = drawn(30)
    said = described(texts, np.random.default_rng(1), 0.8)
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(30)]
    notes = [
        {"image_id": n, "id": 9 * n + k, "caption": t} for n, ts in enumerate(texts.values()) for k, t in enumerate(ts)
    ]
    file = tmp_path / "captions_val2014.json"
    file.write_text(json.dumps({"images": images, "annotations": notes}))
    own, same = (
        caption_scores([captions(said)], references(texts), frequencies=f, n_resamples=20) for f in ("set", str(file))
    )
    assert same.claim("beit", m.CIDER)["value"] == pytest.approx(own.claim("beit", m.CIDER)["value"])
    assert same.provenance["document_frequencies"] == "30 documents of captions_val2014.json"
    table = tmp_path / "captions.csv"
    table.write_text("id,caption\n1,a dog\n2,a cat\n3,a red ball\n")
    other = caption_scores([captions(said)], references(texts), frequencies=str(table), n_resamples=20)
    idf = {"dog": np.log(3), "a": 0.0}
    corpus = Corpus.of([["a dog"]], [["a dog"]], [("a dog",), ("a cat",), ("a red ball",)])
    found = corpus.idf(np.array([0]))
    assert found[corpus.sentences.words[:2]] == pytest.approx([idf["a"], idf["dog"]])
    assert other.claim("beit", m.CIDER)["value"] != pytest.approx(own.claim("beit", m.CIDER)["value"])
    with pytest.raises(UnknownNameError, match=r"No document frequencies `sett`.*Did you mean `set`"):
        caption_scores([captions(said)], references(texts), frequencies="sett")
    table.write_text("id,caption\n")
    with pytest.raises(BadInputError):
        caption_scores([captions(said)], references(texts), frequencies=str(table))


def test_each_domain_has_its_own_frequencies_by_default():
    texts = drawn(60)
    domains = {row: ("out", "in", "near")[n % 3] for n, row in enumerate(texts)}
    said = described(texts, np.random.default_rng(1), 0.8)
    subset, whole = (
        caption_scores([captions(said)], references(texts, domains), frequencies=f, n_resamples=20)
        for f in ("subset", "set")
    )
    assert subset.groups == ("all", "in", "near", "out")
    for domain in ("in", "near", "out"):
        rows = [row for row in texts if domains[row] == domain]
        _, _, cider = by_library({row: said[row] for row in rows}, texts)
        claim = subset.claim("beit", m.CIDER, group=domain)
        assert (claim["value"], claim["n"]) == (pytest.approx(np.mean(cider)), 20)
        here = subset.table.set_index("row_id").loc[rows]
        assert here["cider_d_domain"].to_numpy() == pytest.approx(cider)
        assert whole.claim("beit", m.CIDER, group=domain)["value"] == pytest.approx(here["cider_d"].mean())
    assert subset.claim("beit", m.CIDER)["value"] == whole.claim("beit", m.CIDER)["value"]
    assert list(subset.headline()["pictures of"]) == ["all", "in", "near", "out"]
    assert "each domain" in subset.provenance["document_frequencies"]


def test_orders_of_pictures_and_references_do_not_matter():
    texts = drawn(50)
    said = described(texts, np.random.default_rng(2), 0.7)
    a = caption_scores([captions(said)], references(texts), n_resamples=400)
    turned = {row: t[::-1] for row, t in reversed(texts.items())}
    b = caption_scores([captions(dict(reversed(said.items())))], references(turned), n_resamples=400)
    for measure in (*m.BLEU, m.ROUGE, m.CIDER):
        x, y = a.claim("beit", measure), b.claim("beit", measure)
        assert x["value"] == pytest.approx(y["value"])
        assert x["chance"] == pytest.approx(y["chance"], abs=0.02 * max(1, x["value"]))
        assert x["low"] == pytest.approx(y["low"], abs=0.05 * max(0.2, x["value"]))


def test_perfect_captions_score_full_and_a_known_share_of_wrong_ones_costs_that_share():
    texts = drawn(200, 1)
    perfect = {row: t[0] for row, t in texts.items()}
    result = caption_scores([captions(perfect)], references(texts), n_resamples=50)
    for measure in (*m.BLEU, m.ROUGE):
        assert result.claim("beit", measure)["value"] == pytest.approx(1)
    assert result.claim("beit", m.CIDER)["value"] == pytest.approx(10)
    silent = perfect | dict.fromkeys(list(perfect)[:50], "zebra")
    result = caption_scores([captions(silent)], references(texts), n_resamples=50)
    assert result.claim("beit", m.ROUGE)["value"] == pytest.approx(0.75)
    assert result.claim("beit", m.CIDER)["value"] == pytest.approx(7.5)


def test_chance_is_the_score_of_shuffled_captions():
    texts = drawn(80)
    said = described(texts, np.random.default_rng(3), 0.8)
    result = caption_scores([captions(said)], references(texts), n_resamples=400)
    rows, together, ciders = list(said), {}, []
    for n, order in enumerate(shuffles(80, np.random.default_rng([0, 3]))):
        given = {row: said[rows[k]] for row, k in zip(rows, order, strict=True)}
        together |= {f"{row}, shuffle {n}": text for row, text in given.items()}
        ciders.append(by_library(given, texts)[0][-1])
    whole, _, _ = by_library(together, {row: texts[row.split(",")[0]] for row in together})
    whole[-1] = np.mean(ciders)  # all together would be other documents: a word of no reference would be rarer
    for measure, wanted in zip((*m.BLEU, m.ROUGE, m.CIDER), whole, strict=True):
        claim = result.claim("beit", measure)
        assert claim["chance"] == pytest.approx(wanted, rel=1e-9)
        above = result.claim("beit", measure, against="chance")
        assert above["value"] == pytest.approx(claim["value"] - claim["chance"])
        assert above["low"] > 0
        assert above["p"] < 0.01


def test_resampling_equals_a_loop_over_drawn_pictures():
    texts = drawn(40)
    said = [list(described(texts, np.random.default_rng(s), 0.7).values()) for s in range(2)]
    corpus = Corpus.of(said, list(texts.values()))
    counted = count(
        pairs.Pairs(corpus.sentences, corpus.references, corpus.idf(np.arange(40))),
        corpus.said,
        shuffles(40, np.random.default_rng(0)),
    )
    bleu4 = m.WORD_MEASURES[3]
    (made,) = resample([Summed(bleu4, counted.own)], n_resamples=3000, seed=1)
    rng = np.random.default_rng(5)
    loop = [bleu4.formula(counted.own[:, rng.integers(0, 40, 40)].sum(1)).mean() for _ in range(3000)]
    assert made.value == pytest.approx(bleu4.formula(counted.own.sum(1)).mean())
    assert np.std(made.whole) == pytest.approx(np.std(loop), rel=0.06)
    assert made.contributions.sum() == pytest.approx(made.value)
    whole = [bleu4.formula(np.delete(counted.own, row, axis=1).sum(1)).mean() for row in range(40)]
    assert made.class_influence == pytest.approx(made.value - np.array(whole), abs=0.003)


def unrelated(seed, n=40):
    """Claims about two encoders whose captions have nothing to do with the pictures; each has favourite words."""
    rng = np.random.default_rng([7, seed])
    texts = drawn(n, 3, seed)

    def one():
        liked = rng.dirichlet(np.ones(len(WORDS)))
        return [" ".join(rng.choice(WORDS, rng.integers(4, 11), p=liked)) for _ in range(n)]

    corpus = Corpus.of([one(), one()], list(texts.values()))
    speakers = [Captioner(name, (name,), np.array([k])) for k, name in enumerate(("a", "a-random"))]
    setting = Setting(speakers, corpus, list(texts), None, None, 300, seed)
    rows = np.arange(n)
    return claims(setting, "all", score(setting, rows, corpus.idf(rows)), {})


def test_unrelated_captions_score_chance():
    """Of 100 seeds at most 11 intervals miss chance: what is above chance, levels, differences. BLEU may have none."""
    held: dict[tuple[str, str], list[bool]] = {}
    p: dict[str, list[float]] = {}
    for seed in range(100):
        for claim in unrelated(seed):
            e = claim.estimate
            kind = "level" if claim.against is None else "above" if claim.against == "chance" else "difference"
            held.setdefault((claim.measure, kind), []).append(e.low <= e.chance <= e.high or "no interval" in e.method)
            if kind == "above":
                p.setdefault(claim.measure, []).append(e.p)
    always = (m.BLEU[0], m.ROUGE, m.CIDER)
    assert min(np.mean(found) for found in held.values()) >= 0.89, held
    assert max(np.mean(held[measure, "above"]) for measure in always) < 1
    for measure in always:
        assert np.mean(np.array(p[measure]) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(np.isnan(p[m.BLEU[3]])) > 0.9, "hardly any four words are found together"


def test_intervals_hold_the_truth_of_a_population_in_at_least_89_of_100():
    """Captions right to a known degree, pictures drawn from 3,000: the score of all 3,000 is the truth."""
    rng = np.random.default_rng(0)
    texts = drawn(3000, 2)
    said = [list(described(texts, rng, 0.5).values())]
    corpus = Corpus.of(said, list(texts.values()))
    scorer = pairs.Pairs(corpus.sentences, corpus.references, corpus.idf(np.arange(3000)))
    counts = np.concatenate([scorer.score(row, corpus.said[:, row]) for row in range(3000)])[None]
    measures = [x for x in m.WORD_MEASURES if x.name in (m.BLEU[0], m.BLEU[3], m.ROUGE, m.CIDER)]
    truth = {x.name: float(x.formula(counts.sum(1))[0]) for x in measures}
    held = {x.name: 0 for x in measures}
    for seed in range(100):
        rows = np.random.default_rng(seed).choice(3000, 150, replace=False)
        drawn_counts = np.ascontiguousarray(counts[:, rows])
        found = resample([Summed(x, drawn_counts) for x in measures], n_resamples=400, seed=seed)
        for measure, sampled in zip(measures, found, strict=True):
            low, high = sampled.interval()
            held[measure.name] += low <= truth[measure.name] <= high
    assert min(held.values()) >= 89, held


def test_the_better_encoder_stands_above_its_random_control_with_several_seeds():
    texts = drawn(60)
    given = [
        captions(described(texts, np.random.default_rng([k, s]), right), encoder, s)
        for k, (encoder, right) in enumerate((("beit", 0.8), ("beit-ft", 0.9), ("beit-random", 0.1)))
        for s in (1, 0, 2)
    ]
    result = caption_scores(given, references(texts), n_resamples=300)
    claim = result.claim("beit", m.CIDER, against="beit-random")
    assert (claim["low"] > 0, claim["n_seeds"], claim["n"]) == (True, 3, 60)
    assert claim["p"] < 0.01
    assert result.claim("beit-ft", m.CIDER, against="beit-random")["low"] > 0
    per_seed = result.table.groupby(["encoder", "seed"])["cider_d"].mean()
    assert result.claim("beit", m.CIDER)["value"] == pytest.approx(per_seed["beit"].mean())
    assert list(per_seed["beit"].index) == [0, 1, 2]


def test_controls_are_found_by_name():
    there = ["nfrn50", "nfrn50-all-labels", "nfrn50-random", "clip-random"]
    assert control("nfrn50-all-labels", there) == control("nfrn50", there) == "nfrn50-random"
    assert control("nfrn50-random", there) is None
    assert control("beit", there) is None


def test_variety_is_counted():
    said = {"a": "a red dog", "b": "A red dog!", "c": "a cat", "d": "", "e": "two cats"}
    texts = {row: ["a small dog runs", "a dog"] for row in said}
    trained = TrainingTexts("cc3m", "id", frozenset({"beit"}), [("A red dog.", "two  cats"), ("a horse",)])
    result = caption_scores(
        [captions(said), captions(said, "clip")], references(texts), None, None, trained, n_resamples=20
    )
    values = {measure: result.claim("beit", measure)["value"] for measure in m.DIVERSITY}
    assert values == pytest.approx(
        {m.VOCABULARY: 6, m.DISTINCT_1: 6 / 10, m.DISTINCT_2: 4 / 6, m.DISTINCT: 4 / 5, m.NOVEL: 2 / 5, m.LENGTH: 2}
    )
    assert list(result.table["not_in_training"][:5]) == [False, False, True, True, False]
    assert result.table["not_in_training"][5:].isna().all()
    assert result.claim("references", m.LENGTH)["value"] == 4
    assert np.isnan(result.claim("clip", m.NOVEL)["value"])
    assert "2 captions are empty" in result.summary()


def test_missing_references_are_counted_and_left_out():
    texts = drawn(30)
    said = described(texts, np.random.default_rng(4), 0.8)
    texts["row 3"], texts["row 4"] = [], ["..."]
    del texts["row 5"]
    result = caption_scores([captions(said)], references(texts), n_resamples=20)
    assert len(result.table) == result.claim("beit", m.CIDER)["n"] == 27
    assert "3 captioned pictures have no reference and are left out" in result.summary()


def test_one_picture_has_no_interval_and_no_cider():
    result = caption_scores([captions({"x": "A DOG"})], references({"x": ["a dog", "a brown dog"]}), n_resamples=20)
    claim = result.claim("beit", m.ROUGE)
    assert claim["value"] == 1
    assert np.isnan(claim["low"])
    assert np.isnan(claim["p"])
    assert m.CIDER not in result.measures
    assert "CIDEr-D (every word is in every picture's references" in result.summary()
    for name in result.figures:
        result.plot(name)


def test_capitals_and_marks_change_no_score_and_any_script_is_scored():
    texts = drawn(20)
    said = described(texts, np.random.default_rng(0), 0.5)
    result = caption_scores([captions(said)], references(texts), None, None, n_resamples=20)
    loud = {row: f"  {text.upper()}! " for row, text in said.items()}
    shouted = caption_scores([captions(loud)], references(texts), None, None, n_resamples=20)
    assert shouted.table["rouge_l"].to_numpy() == pytest.approx(result.table["rouge_l"].to_numpy())
    foreign = {row: f"Ünïcode ÉTÉ シマウマ \U0001f418 {i}" for i, row in enumerate(said)}
    same = caption_scores(
        [captions(foreign)], references({r: [t] for r, t in foreign.items()}), None, None, n_resamples=20
    )
    assert same.table["rouge_l"].to_numpy() == pytest.approx(1)
    assert (
        caption_scores([captions(foreign)], references(texts), None, None, n_resamples=20).table["rouge_l"].max() == 0
    )


def test_nothing_said_at_all_scores_nothing():
    texts = drawn(30)
    result = caption_scores([captions(dict.fromkeys(texts, ""))], references(texts), n_resamples=20)
    for measure in (*m.BLEU, m.ROUGE, m.CIDER):
        claim = result.claim("beit", measure)
        assert claim["value"] == pytest.approx(0, abs=1e-6)
        assert claim["chance"] == pytest.approx(0, abs=1e-6)
    assert "30 captions are empty" in result.summary()
    for name in result.figures:
        result.plot(name)


def test_captions_that_cannot_be_scored_are_refused():
    texts = drawn(20)
    said = described(texts, np.random.default_rng(0), 0.5)
    with pytest.raises(EmptyDataError, match="no captions"):
        caption_scores([], references(texts))
    with pytest.raises(EmptyDataError, match="has a reference caption in `coco`"):
        caption_scores([captions({"elsewhere": "a dog"})], references(texts))
    with pytest.raises(MismatchError, match="different pictures"):
        caption_scores([captions(said), captions(dict(list(said.items())[1:]), "clip")], references(texts))


def test_it_is_saved_loaded_and_made_again_as_it_was(tmp_path):
    texts = drawn(25)
    given = [captions(described(texts, np.random.default_rng(s), 0.6), seed=s) for s in (1, 0)]
    result = caption_scores(given, references(texts), n_resamples=50)
    loaded = Result.load(result.save(tmp_path / "run"))
    assert isinstance(loaded, CaptionScores)
    assert loaded == result == caption_scores(given, references(texts), n_resamples=50)
    assert loaded.summary() == result.summary()


def test_the_headline_is_times_100_beside_chance():
    texts = drawn(40)
    said = described(texts, np.random.default_rng(0), 0.8)
    result = caption_scores([captions(said), captions(said, "beit-random")], references(texts), n_resamples=50)
    row, cider = result.headline().iloc[0], result.claim("beit", m.CIDER)
    assert row["CIDEr-D (chance)"] == f"{100 * cider['value']:.1f} ({100 * cider['chance']:.1f})"
    assert row["CIDEr-D, 95 % interval"] == f"{100 * cider['low']:.1f} to {100 * cider['high']:.1f}"
    assert (row["encoder"], row["pictures"]) == ("beit", 40)
    assert "times 100" in result.summary()
    assert result.provenance["tokeniser"] == "captions-1"


def texts_of(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def test_every_figure_and_the_sentence_say_that_it_is_the_microworld():
    texts = drawn(25)
    for study in ("microworld", "photographs"):
        said = described(texts, np.random.default_rng(0), 0.8)
        result = caption_scores([captions(said, study=study)], references(texts), n_resamples=20)
        assert ("microworld" in result.summary()) == (study == "microworld")
        for name in result.figures:
            assert any("microworld" in text for text in texts_of(result.plot(name))) == (study == "microworld")


def test_the_sheet_goes_from_the_lowest_score_to_the_highest():
    texts = drawn(50)
    said = described(texts, np.random.default_rng(0), 0.8)
    result = caption_scores([captions(said)], references(texts), n_resamples=20)
    scores = result.table.set_index("row_id").loc[result.wanted_pictures(), "cider_d"]
    assert len(scores) == 8
    assert scores.is_monotonic_increasing
    assert (scores.iloc[0], scores.iloc[-1]) == (result.table["cider_d"].min(), result.table["cider_d"].max())
    assert any(texts[scores.index[0]][0][:30] in text for text in texts_of(result.plot("examples")))


# The words of a caption


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A dog's ball, don't (really) CAN'T stop!", "a dog 's ball do n't -lrb- really -rrb- ca n't stop"),
        (
            "A double-decker bus at 7:30 on 5th St. near U.S. flags...",
            "a double-decker bus at 7:30 on 5th st. near u.s. flags",
        ),
        ('He said: "1,000 cats; 3/4 black/white"', "he said 1,000 cats 3/4 black/white"),
        ("Naïve ÉLÉPHANT — 東京’s tower", "naïve éléphant 東京 's tower"),
        ("I cannot, gonna. t-shirt & tie #1", "i can not gon na t-shirt & tie # 1"),
        (" \n ... ?! ", ""),
    ],
)
def test_words_are_those_of_the_penn_treebank(text, wanted):
    assert " ".join(tokens(text)) == wanted


@needs_java
def test_words_differ_from_the_ptb_tokenisers_in_few_of_cocos_captions(real):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    read = json.loads((real / "captions" / "coco_captions_val2017.json").read_text())["annotations"]
    theirs = PTBTokenizer().tokenize({n: [{"caption": one["caption"]}] for n, one in enumerate(read)})
    differ = [one["caption"] for n, one in enumerate(read) if tokens(one["caption"]) != theirs[n][0].split()]
    assert len(read) == 25014
    assert len(differ) <= 5, differ


def test_what_a_picture_adds_to_shuffled_captions_sums_to_them():
    rng = np.random.default_rng(0)
    given = shuffles(30, rng)
    table = rng.random((2, 30, 30, 3))
    with_others = np.stack([table[:, np.arange(30), order] for order in given])
    found = added(with_others, given)
    assert found.sum(1) == pytest.approx(with_others.mean(0).sum(1))
    everywhere = added(
        np.stack([table[:, np.arange(30), np.roll(np.arange(30), k)] for k in range(30)]),
        np.stack([np.roll(np.arange(30), k) for k in range(30)]),
    )
    by_hand = table.mean(2) + table.mean(1) - table.mean((1, 2))[:, None]
    assert everywhere == pytest.approx(by_hand)
