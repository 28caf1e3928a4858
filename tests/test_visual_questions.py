"""Answers are scored as VQA's evaluation code scores them; unrelated answers score chance; intervals hold the truth."""

from __future__ import annotations

import functools
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from concepttransfer.analyses._visual_questions import estimates as est
from concepttransfer.analyses._visual_questions.chance import Questions, marks
from concepttransfer.analyses._visual_questions.score import (
    accuracy,
    form,
    leave_one_out,
    normalised,
    truncated,
    truth_of,
)
from concepttransfer.analyses.visual_questions import VisualQuestions, visual_questions
from concepttransfer.answering import Answers
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.result import Result
from concepttransfer.statistics import false_discovery
from concepttransfer.statistics.resampling import Ratio, resample

# What the evaluation code of VQA v2 says of contractions, lower case, in its own order.
LISTED = """
aint:ain't arent:aren't cant:can't couldve:could've couldnt:couldn't couldn'tve:couldn't've couldnt've:couldn't've
didnt:didn't doesnt:doesn't dont:don't hadnt:hadn't hadnt've:hadn't've hadn'tve:hadn't've hasnt:hasn't havent:haven't
hed:he'd hed've:he'd've he'dve:he'd've hes:he's howd:how'd howll:how'll hows:how's isnt:isn't itd:it'd itd've:it'd've
it'dve:it'd've itll:it'll let's:let's maam:ma'am mightnt:mightn't mightnt've:mightn't've mightn'tve:mightn't've
mightve:might've mustnt:mustn't mustve:must've neednt:needn't notve:not've oclock:o'clock oughtnt:oughtn't
ow's'at:'ow's'at 'ows'at:'ow's'at 'ow'sat:'ow's'at shant:shan't shed've:she'd've she'dve:she'd've she's:she's
shouldve:should've shouldnt:shouldn't shouldnt've:shouldn't've shouldn'tve:shouldn't've somebody'd:somebodyd
somebodyd've:somebody'd've somebody'dve:somebody'd've somebodyll:somebody'll somebodys:somebody's someoned:someone'd
someoned've:someone'd've someone'dve:someone'd've someonell:someone'll someones:someone's somethingd:something'd
somethingd've:something'd've something'dve:something'd've somethingll:something'll thats:that's thered:there'd
thered've:there'd've there'dve:there'd've therere:there're theres:there's theyd:they'd theyd've:they'd've
they'dve:they'd've theyll:they'll theyre:they're theyve:they've twas:'twas wasnt:wasn't wed've:we'd've we'dve:we'd've
weve:we've werent:weren't whatll:what'll whatre:what're whats:what's whatve:what've whens:when's whered:where'd
wheres:where's whereve:where've whod:who'd whod've:who'd've who'dve:who'd've wholl:who'll whos:who's whove:who've
whyll:why'll whyre:why're whys:why's wont:won't wouldve:would've wouldnt:wouldn't wouldnt've:wouldn't've
wouldn'tve:wouldn't've yall:y'all yall'll:y'all'll y'allll:y'all'll yall'd've:y'all'd've y'alld've:y'all'd've
y'all'dve:y'all'd've youd:you'd youd've:you'd've you'dve:you'd've youll:you'll youre:you're youve:you've
"""
CONTRACTIONS = dict(pair.split(":") for pair in LISTED.split())
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"}
NUMBERS |= {"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}
ODD = [
    "", " ", "Yes", "YES.", "yes, it is", "The dog.", "a  an the", "2", "two", "Two dogs", "none", "10:30", "10:30.",
    "3.5", "1,000", "1,000 - 2", "don't", "dont", "somebody'd", "whats up?", "black/white", "black / white", "t-shirt",
    "T - shirt", "(red)", "naïve café", "Ünïcode ÉTÉ", "シマウマ", "🐘!", "no\n", "\tno", "one\nline two", "a.b.c.",
    "." * 40 + "x", "x_y", "it's", "its", "'ow's'at", "let's", "$5", "50%", "a@b", "`quoted`", '"quoted"', "Ten", "²",
    "١,٢ -x", "none none", "a;b a ;b", "1,2;b",
]  # fmt: skip


def official(text, answers):
    """The evaluation code's steps, one after the other."""
    answers = [a.replace("\n", " ").replace("\t", " ").strip() for a in answers]
    text = text.replace("\n", " ").replace("\t", " ").strip()
    if len(set(answers)) > 1:
        answers = [both(a) for a in answers]
        text = both(text)
    scores = []
    for left_out in range(len(answers)):
        others = answers[:left_out] + answers[left_out + 1 :]
        scores.append(min(1, sum(a == text for a in others) / 3))
    return sum(scores) / len(scores)


@functools.cache
def both(text):
    return digits_and_articles(punctuation(text))


def punctuation(text):
    out = text
    for sign in ';/[]"{}()=+\\_-><@`,?!':
        if sign + " " in text or " " + sign in text or re.search(r"(\d)(\,)(\d)", text) is not None:
            out = out.replace(sign, "")
        else:
            out = out.replace(sign, " ")
    return re.compile(r"(?!<=\d)(\.)(?!\d)").sub("", out, int(re.UNICODE))


def digits_and_articles(text):
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ("a", "an", "the"))


def test_an_answer_is_normalised_as_the_evaluation_code_does():
    words = [
        *ODD,
        *CONTRACTIONS,
        *CONTRACTIONS.values(),
        *(w.title() for w in NUMBERS),
        *["a;b", "a", ";b", "a,b", "1,2;b"],
    ]
    for text in [*words, *(f"{a} {b}" for a in ODD for b in ODD)]:
        plain = text.replace("\n", " ").replace("\t", " ").strip()
        assert form(text, False) == both(plain), text
        assert form(text, True) == plain


def test_real_questions_score_as_the_evaluation_code_scores_them(real):
    with gzip.open(real / "questions" / "annotations_valid.json.gz") as file:
        annotations = json.load(file)["annotations"]
    answers = [[one["answer"] for one in a["answers"]] for a in annotations]
    assert len(answers) == 8977
    rng = np.random.default_rng(0)
    seen = set()
    for i, given in enumerate(answers):
        truth = truth_of(given)
        others = answers[rng.integers(len(answers))]
        for text in {*given, given[0].upper(), f"The {given[1]}.", others[0], ODD[i % len(ODD)]}:
            score = truth.accuracy(text)
            assert score == pytest.approx(official(text, given), abs=1e-12), (text, given)
            seen.add(round(score, 6))
    assert seen == {0.0, 0.3, 0.6, 0.9, 1.0}


@pytest.mark.parametrize("n", [4, 5, 10, 13])
def test_leave_one_out_has_a_closed_form(n):
    for matches in range(n + 1):
        said = [1] * matches + [0] * (n - matches)
        by_hand = np.mean([min(1, (sum(said) - one) / 3) for one in said])
        assert leave_one_out(matches, n) == pytest.approx(by_hand)


def test_where_all_say_the_same_capitals_and_articles_count_as_in_the_evaluation_code():
    assert accuracy("Yes", ["yes"] * 10) == 0
    assert accuracy("Yes", ["yes"] * 9 + ["no"]) == 1
    assert accuracy("the dog", ["a dog"] * 4 + ["cat"] * 6) == 1
    with pytest.raises(BadInputError, match="Question `q` has 3 answers"):
        truth_of(["a"] * 3, question="q")


def test_what_counts_of_a_text():
    truth = truth_of(["in the"] * 9 + ["a red ball"])
    text = " the Red ball\nand more "
    cut = {how: truncated(text, how, truth) for how in ("none", "first-line", "first-word", "gt-longest")}
    assert cut == {"none": text, "first-line": "the Red ball", "first-word": "the", "gt-longest": "the Red ball"}
    assert [truncated("", how, truth) for how in cut] == [""] * 4
    assert truncated("\n\nyes", "first-line", truth) == "yes"


KINDS = ("what", "is", "how many")
WORDS = {"what": [f"thing {i}" for i in range(12)], "is": ["yes", "no"], "how many": [str(i) for i in range(6)]}


def asked(n=300, per_picture=3, *, seed=0, alike=False):
    """Questions of three kinds, ten annotators each who mostly agree; `alike`: they all do."""
    rng = np.random.default_rng([7, seed])
    rows = []
    for i in range(n):
        kind = KINDS[rng.integers(3)]
        truth = said(kind, rng)
        answers = [truth if alike or rng.random() < 0.7 else said(kind, rng) for _ in range(10)]
        labels = {
            "question": f"{kind} {i}?",
            "question_type": kind,
            "answer_type": "yes/no" if kind == "is" else "other",
        }
        rows.append(Row(f"q{i}", f"p{i // per_picture}", tuple(answers), labels))
    return Manifest("asked", tuple(rows))


def said(kind, rng):
    """A word of the kind, the first ones more often."""
    weights = 1 / np.arange(1, len(WORDS[kind]) + 1)
    return str(rng.choice(WORDS[kind], p=weights / weights.sum()))


def unrelated(manifest, rng):
    return {row.id: said(row.labels["question_type"], rng) for row in manifest.rows}


def right(manifest, share, rng, wrong="wrong"):
    """What the first annotator says to so many of the questions, drawn; `wrong` to the others."""
    return {row.id: row.texts[0] if rng.random() < share else wrong for row in manifest.rows}


def answers(manifest, *by_shots, encoder="clip", seed=0, study="other", shots=(0, 4)):
    frames = [
        pd.DataFrame({"row_id": list(texts), "shots": n, "text": list(texts.values())})
        for n, texts in zip(shots, by_shots, strict=False)
    ]
    table = pd.concat(frames, ignore_index=True).assign(sample=0, n_tokens=2, logprob=-1.0)
    meta = {"prompt": " Q: {question} A:"}
    return Answers(Path("none"), f"{encoder}-{seed}", table, encoder, seed, manifest.id, "asked", study, meta)


@pytest.fixture(scope="module")
def manifest():
    return asked()


@pytest.fixture(scope="module")
def result(manifest):
    rng = np.random.default_rng(0)
    given = [answers(manifest, unrelated(manifest, rng), right(manifest, 0.3, rng), encoder="blind")]
    given += [
        answers(manifest, right(manifest, 0.8, rng), right(manifest, 0.9, rng, "no\nnever"), seed=seed)
        for seed in range(3)
    ]
    given += [answers(manifest, unrelated(manifest, rng), unrelated(manifest, rng), encoder="clip-random")]
    return visual_questions(given, manifest, n_resamples=300)


def test_a_row_a_question_scored_by_itself(manifest, result):
    table = result.to_frame()
    assert len(table) == 300 * 2 * 5
    at = {row.id: row for row in manifest.rows}
    for one in table.sample(300, random_state=0).itertuples():
        row = at[one.row_id]
        first = one.text.split("\n")[0]
        assert one.accuracy == pytest.approx(official(first, row.texts))
        assert one.whole == pytest.approx(official(one.text, row.texts))
        assert (one.answer, one.question, one.question_type) == (first, *list(row.labels.values())[:2])


def test_levels_are_means_of_the_table_by_group(result):
    for (encoder, shots), rows in result.to_frame().groupby(["encoder", "shots"]):
        kinds = {est.ALL: rows, "question type: is": rows[rows["question_type"] == "is"]}
        kinds["answer type: other"] = rows[rows["answer_type"] == "other"]
        for group, some in kinds.items():
            claim = result.accuracy(encoder, shots, group=group)
            assert claim["value"] == pytest.approx(some["accuracy"].mean())
            assert claim["chance"] == pytest.approx(some["chance"].mean())
            assert claim["n"] == some["row_id"].nunique()
            assert claim["low"] < claim["value"] < claim["high"]
            above = result.accuracy(encoder, shots, group=group, against="chance")
            assert above["value"] == pytest.approx(claim["value"] - claim["chance"], abs=1e-12)
        assert result.accuracy(encoder, shots, whole=True)["value"] == pytest.approx(rows["whole"].mean())
    clip, blind = result.accuracy("clip", 0), result.accuracy("blind", 0)
    assert (clip["n_seeds"], clip["n_clusters"]) == (3, 100)
    against = result.accuracy("clip", 0, against="blind")
    assert against["value"] == pytest.approx(clip["value"] - blind["value"])
    assert against["chance"] == pytest.approx(clip["chance"] - blind["chance"])
    assert (against["p"] < 0.01, against["n_seeds"]) == (True, 3)


@pytest.mark.parametrize("how", ["first-line", "gt-longest"])
def test_chance_gives_the_answers_to_other_questions_of_the_type(how):
    manifest = asked(60, seed=3)
    rng = np.random.default_rng(1)
    texts = [f"{text} and more" if i % 3 else text for i, text in enumerate(unrelated(manifest, rng).values())]
    questions = Questions.of(manifest.rows)
    made = marks(texts, questions, how)
    for rows in questions.by_type:
        truths = [questions.truths[i] for i in rows]
        every = np.array([[t.accuracy(truncated(texts[j], how, t)) for j in rows] for t in truths])
        assert made.accuracy[rows] == pytest.approx(np.diag(every))
        assert made.chance[rows] == pytest.approx(every.mean(1))
        wanted = np.diag(every) - every.mean(1) - every.mean(0) + every.mean()
        assert made.surplus[rows] == pytest.approx(wanted)
        assert made.surplus[rows].mean() == pytest.approx((made.accuracy - made.chance)[rows].mean(), abs=1e-12)


def test_a_constant_answer_is_never_above_chance(manifest):
    given = answers(manifest, dict.fromkeys(unrelated(manifest, np.random.default_rng(0)), "yes"))
    claim = visual_questions([given], manifest, n_resamples=100).accuracy("clip", 0, against="chance")
    assert (claim["value"], claim["low"], claim["high"], claim["p"]) == (pytest.approx(0), 0, 0, 1)


def test_the_commonest_answer_is_known_by_type(manifest, result):
    scores = []
    for kind in KINDS:
        rows = [row for row in manifest.rows if row.labels["question_type"] == kind]
        most = pd.Series([pd.Series(row.texts).value_counts(sort=False).idxmax() for row in rows]).mode()[0]
        by_hand = [official(most, row.texts) for row in rows]
        assert result.commonest(f"question type: {kind}") == pytest.approx(np.mean(by_hand))
        scores += by_hand
    assert result.commonest() == pytest.approx(np.mean(scores))


def test_cutting_to_the_truth_helps_and_is_said(manifest):
    wordy = {row.id: f"{row.texts[0]} I think" for row in manifest.rows}
    line, cut = (
        visual_questions([answers(manifest, wordy)], manifest, truncate=how, n_resamples=20)
        for how in ("first-line", "gt-longest")
    )
    assert line.accuracy("clip", 0)["value"] == 0
    assert cut.accuracy("clip", 0)["value"] > 0.6
    assert cut.accuracy("clip", 0, whole=True)["value"] == 0
    assert "reads the truth" in cut.summary()
    assert "whole texts 0.0 %" in cut.summary()
    assert "reads the truth" not in line.summary()
    assert [column for column in cut.headline() if "whole" in column]
    assert not [column for column in line.headline() if "whole" in column]


def test_equal_answers_differ_by_nothing(manifest):
    texts = unrelated(manifest, np.random.default_rng(0))
    given = [answers(manifest, texts, encoder=name) for name in ("blind", "clip", "beit")]
    result = visual_questions(given, manifest, n_resamples=50)
    between = result.estimates[~result.estimates["against"].isin(["chance"]) & result.estimates["against"].notna()]
    assert set(zip(between["system"], between["against"], strict=True)) == {
        ("clip", "blind"),
        ("beit", "blind"),
        ("clip", "beit"),
    }
    assert between["value"].abs().max() == 0
    assert (between["p"].dropna() == 1).all()


def test_order_of_questions_and_of_encoders_does_not_matter(manifest):
    rng = np.random.default_rng(2)
    a, b = (answers(manifest, right(manifest, s, rng), encoder=e) for s, e in ((0.6, "clip"), (0.2, "blind")))
    shuffled = Manifest("asked", tuple(manifest.rows[i] for i in rng.permutation(len(manifest))))
    moved = [Answers(**{**vars(one), "manifest_id": shuffled.id}) for one in (b, a)]
    one, other = visual_questions([a, b], manifest, n_resamples=500), visual_questions(moved, shuffled, n_resamples=500)
    for against in (None, "chance", "blind"):
        x, y = one.accuracy("clip", 0, against=against), other.accuracy("clip", 0, against=against)
        assert x["value"] == pytest.approx(y["value"])
        assert (x["low"], x["high"]) == (pytest.approx(y["low"], abs=0.015), pytest.approx(y["high"], abs=0.015))


def test_a_random_control_stands_second_and_q_is_over_each_family(result):
    made = result.estimates
    assert set(made.query("system == 'clip-random' and against.notna()")["against"]) == {"chance", "blind"}
    assert "clip-random" in set(made.query("system == 'clip'")["against"].dropna())
    tested = made["p"].notna()
    compared, whole = made["against"].notna() & (made["against"] != "chance"), made["group"] == est.ALL
    for kind in (made["against"].isna(), compared):
        for family in (made[tested & kind & whole], made[tested & kind & ~whole]):
            assert len(family) >= 6
            assert family["q"].to_numpy() == pytest.approx(false_discovery(family["p"]))


GROUPS = (est.ALL, "answer type: yes/no", "question type: what")


def claims(manifest, texts, seed, groups=GROUPS):
    """Claims about systems, by name, whose answers are given: (system, against, group) -> Estimate."""
    questions = Questions.of(manifest.rows)
    scored = []
    for system, given in texts.items():
        made = marks([given[row] for row in manifest.ids], questions, "none")
        each = [array[None] for array in (made.accuracy, made.chance, made.surplus, made.accuracy)]
        scored.append(est.Scored(system, 0, *each))
    every = est.groups(questions.types, questions.answer_types)
    masks = {group: every[group] for group in groups}
    made = est.claims(scored, questions.pictures, masks, n_resamples=300, seed=seed)
    return {(c.system, c.against, c.group): c.estimate for c in made if est.WHOLE not in c.measure}


def of_unrelated(seed):
    """Claims whose truth is 0: answers of two encoders and the blind have nothing to do with the pictures."""
    manifest, rng = asked(180, seed=seed), np.random.default_rng([3, seed])
    made = claims(manifest, {name: unrelated(manifest, rng) for name in ("blind", "clip", "beit")}, seed)
    keys = [("clip", against, group) for group in GROUPS for against in ("chance", "blind")]
    return {key: (made[key], 0) for key in [*keys, ("clip", "beit", est.ALL)]}


def of_known(seed):
    """All annotators agree; whole pictures are answered right or wrong, which makes questions depend on each other."""
    manifest, rng = asked(300, per_picture=4, seed=seed, alike=True), np.random.default_rng([4, seed])
    known = {picture: rng.random() for picture in dict.fromkeys(row.picture for row in manifest.rows)}

    def said_with(share):
        return {row.id: row.texts[0] if known[row.picture] < share else "wrong" for row in manifest.rows}

    made = claims(manifest, {"clip": said_with(0.6), "blind": said_with(0.35)}, seed, groups=GROUPS[:1])
    return {"level": (made["clip", None, est.ALL], 0.6), "blind": (made["clip", "blind", est.ALL], 0.25)}


def held(n_seeds, measure):
    """For each claim: the share of data sets whose interval holds the truth, and of those whose p is below .05."""
    inside, small = {}, {}
    for seed in range(n_seeds):
        for name, (claim, truth) in measure(seed).items():
            inside.setdefault(name, []).append(claim.low <= truth <= claim.high)
            small.setdefault(name, []).append(claim.p < 0.05)
    return {name: np.mean(hits) for name, hits in inside.items()}, {name: np.mean(hits) for name, hits in small.items()}


def test_unrelated_answers_score_chance_and_have_no_small_p():
    inside, small = held(100, of_unrelated)
    assert len(inside) == 7
    assert min(inside.values()) >= 0.89
    assert max(small.values()) <= 0.11


def test_a_known_share_answered_right_is_found():
    inside, small = held(100, of_known)
    assert min(inside.values()) >= 0.89
    assert small["blind"] == 1


@pytest.mark.slow
def test_intervals_hold_in_95_percent():
    for measure in (of_unrelated, of_known):
        inside, _ = held(1000, measure)
        for name, share in inside.items():
            assert 0.92 <= share <= 0.98, name


def test_questions_of_one_picture_count_as_one_draw():
    """Four questions that are right or wrong together say as much as one: the interval is twice as wide."""
    claim, _ = of_known(0)["level"]
    alone = resample([Ratio(np.array([[1.0] * 180 + [0.0] * 120]), np.ones((1, 300)), 0, 1)], np.arange(300))[0]
    low, high = alone.interval()
    assert (claim.high - claim.low) / (high - low) == pytest.approx(2, abs=0.25)
    assert (claim.n, claim.n_clusters) == (300, 75)


def test_what_is_too_little_has_no_p_and_one_picture_no_interval():
    manifest = asked(30, per_picture=2)
    rng = np.random.default_rng(0)
    few = visual_questions([answers(manifest, unrelated(manifest, rng))], manifest, n_resamples=50)
    claim = few.accuracy("clip", 0, against="chance")
    assert np.isnan(claim["p"])
    assert "no p: 15 pictures" in claim["method"]
    manifest = asked(6, per_picture=6)
    one = visual_questions([answers(manifest, unrelated(manifest, rng))], manifest, n_resamples=50)
    assert np.isnan(one.accuracy("clip", 0)["low"])
    assert "interval" not in one.summary()
    for name in one.figures:
        one.plot(name)


@pytest.mark.parametrize("text", ["", "ÜNÏCODE 🐘", "YES\tno", "a " * 200, "$x_1$ <b>"])
def test_any_text_is_an_answer(manifest, text, tmp_path):
    given = [
        answers(manifest, dict.fromkeys((row.id for row in manifest.rows), text), encoder=e) for e in ("a", "blind")
    ]
    result = visual_questions(given, manifest, n_resamples=20)
    assert Result.load(result.save(tmp_path / "run")) == result
    for name in result.figures:
        result.plot(name)


def test_what_cannot_be_scored_is_refused_or_counted(manifest):
    rng = np.random.default_rng(0)
    a = answers(manifest, unrelated(manifest, rng))
    with pytest.raises(EmptyDataError, match="no answers"):
        visual_questions([], manifest)
    with pytest.raises(EmptyDataError, match="None of the 300 questions"):
        visual_questions([a], Manifest("other", (Row("elsewhere", "p", ("a",) * 10, {"question": "?"}),)))
    with pytest.raises(MismatchError, match="other questions or with other shots"):
        visual_questions([a, answers(manifest, unrelated(manifest, rng), shots=(1,), encoder="b")], manifest)
    with pytest.raises(MismatchError, match="other questions"):
        visual_questions([a, answers(asked(10), unrelated(asked(10), rng), encoder="b")], manifest)
    bare = Manifest("bare", tuple(Row(r.id, r.picture, r.texts[:2], r.labels) for r in manifest.rows))
    with pytest.raises(BadInputError, match="`q0` has 2 answers"):
        visual_questions([a], bare)
    some = Manifest(
        "some", tuple(Row(r.id, r.picture, r.texts * (i > 9), r.labels) for i, r in enumerate(manifest.rows))
    )
    left = visual_questions([a], some, n_resamples=20)
    assert left.accuracy("clip", 0)["n"] == 290
    assert "10 questions were left out" in left.summary()
    untyped = Manifest("u", tuple(Row(r.id, r.picture, r.texts, {"question": "?"}) for r in manifest.rows))
    assert "question type: unknown" in visual_questions([a], untyped, n_resamples=20).groups


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_sentence_table_and_figures_say_what_the_claims_say(manifest, result):
    clip, against = result.accuracy("clip", 4), result.accuracy("clip", 4, against="blind")
    value = f"{100 * clip['value']:.1f} % right after 4 examples (95 % interval {100 * clip['low']:.1f} to"
    assert value in result.summary()
    assert f"{100 * against['value']:+.1f} points against blind" in result.summary()
    assert "300 questions about 100 pictures" in result.summary()
    table = result.headline()
    assert list(table["encoder"]) == [
        "clip",
        "clip",
        "clip-random",
        "clip-random",
        "blind",
        "blind",
        "commonest answer",
    ]
    row = table.iloc[1]
    assert (row["shots"], row["questions"], row["pictures"]) == ("4", "300", "100")
    assert row["accuracy, %"] == round(100 * clip["value"], 1)
    assert row["95 % interval"] == f"{100 * clip['low']:.1f} to {100 * clip['high']:.1f}"
    assert row["against blind, points"].startswith(f"{100 * against['value']:+.1f}, ")
    assert table["accuracy, %"].iloc[-1] == round(100 * result.commonest(), 1)
    said_in = {name: texts_of(result.plot(name)) for name in result.figures}
    assert {"clip", "clip-random", "blind", "0", "4"} <= set(said_in["shots"])
    assert f"is ({result.accuracy('clip', 4, group='question type: is')['n']})" in said_in["types"]
    assert sum("not kept" in text for text in said_in["examples"]) == 8
    assert not any("microworld" in text for texts in said_in.values() for text in texts)


def test_the_sheet_shows_right_and_wrong_of_different_pictures(manifest, result):
    rows = result.wanted_pictures()
    at = {row.id: row for row in manifest.rows}
    assert len({at[row].picture for row in rows}) == 8
    first = result.to_frame().query("encoder == 'clip' and shots == 0 and seed == 0").set_index("row_id")
    assert (first.loc[rows, "accuracy"] >= 0.5).sum() == 4
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, "PNG")
    shown = result.with_pictures(dict.fromkeys(rows, content.getvalue()))
    assert not any("not kept" in text for text in texts_of(shown.plot("examples")))


def test_it_is_saved_and_loaded_as_it_was_and_comes_out_the_same_again(manifest, result, tmp_path):
    loaded = Result.load(result.save(tmp_path / "run"))
    assert isinstance(loaded, VisualQuestions)
    assert loaded == result
    assert loaded.summary() == result.summary()
    given = [answers(manifest, unrelated(manifest, np.random.default_rng(5)), study="microworld")]
    one, again = (visual_questions(given, manifest, n_resamples=50) for _ in range(2))
    assert one == again
    assert one.summary().startswith("In the microworld")
    for name in one.figures:
        assert any("microworld" in text for text in texts_of(one.plot(name)))


def test_normalising_twice_is_normalising_once():
    for text in ODD:
        if text not in ("somebody'd", "10:30.") and "." * 33 not in text:
            assert normalised(normalised(text)) == normalised(text), text
