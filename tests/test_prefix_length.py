"""Prefix lengths: scores are those of the analyses that score captions; losses, sweeps and names are what they say."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from caption_samples import captions, described, drawn, references, speech
from scipy import stats

from concepttransfer.analyses._prefix_length import scores as s
from concepttransfer.analyses.awa_errors import awa_errors
from concepttransfer.analyses.caption_scores import caption_scores
from concepttransfer.analyses.prefix_length import PrefixLength, prefix_length
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.concept_set import Concept
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError, UnknownNameError
from concepttransfer.projections import Linear
from concepttransfer.scoring.training_captions import TrainingCaptions
from concepttransfer.study import load_study
from concepttransfer.transfer import Transfer

N = 60
TEXTS = drawn(N, seed=1)
NAMES = ("dog", "cat", "horse")
LENGTHS = {"mlp@prefix:2": 2, "mlp": 10, "mlp@prefix:40": 40, "other": 5}


@functools.cache
def classes(seed=1):
    texts = TEXTS if seed == 1 else drawn(N, seed=seed)
    concepts = tuple(Concept(name, f"{name}.n.01", (name,)) for name in NAMES)
    truth = {row: next((w for w in text[0].split() if w in NAMES), "dog") for row, text in texts.items()}
    return ConceptSet("three", concepts, truth)


def history(loss, held_out):
    steps = np.arange(1, 21)
    held = np.where(steps == 20, held_out, np.nan)
    return pd.DataFrame({"step": steps, "loss": np.where(steps > 18, loss, 9.0), "validation_loss": held, "lr": 0.1})


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """Two seeds of each encoder; the loss falls with the length, and rises on what was held out."""
    made = []
    for encoder, k in LENGTHS.items():
        for seed in range(2):
            folder = tmp_path_factory.mktemp("fits") / f"{encoder.replace(':', '-')}-{seed}"
            where = {"space": "s", "encoder_identity": "e", "language_model_id": "l", "tokens": 1}
            curve = history(1 / k + seed / 10, 1 + k / 100 + seed / 10)
            about = {"meta": {"rows": 300, "held_out": 20}, "history": curve}
            made.append(Transfer.write(folder, Linear(3, 4, k), key="k", encoder=encoder, seed=seed, **where, **about))
    return made


def said(right, texts=TEXTS):
    """By each fit: a caption of each picture, near to its reference with the probability given for its encoder."""
    made = []
    for number, encoder in enumerate(LENGTHS):
        for seed in range(2):
            made.append(
                captions(described(texts, np.random.default_rng([number, seed]), right[encoder]), encoder, seed)
            )
    return made


@pytest.fixture(scope="module")
def result(fits):
    others = said({"mlp@prefix:2": 0.2, "mlp": 0.9, "mlp@prefix:40": 0.5, "other": 0.5})
    learnt = drawn(N, seed=2)
    trained = TrainingCaptions(tuple(said(dict.fromkeys(LENGTHS, 0.9), learnt)), references(learnt), classes(seed=2))
    return prefix_length(fits, others, references(TEXTS), classes(), trained, n_resamples=200)


def test_scores_are_those_of_the_analyses_that_score_captions(result):
    others = said({"mlp@prefix:2": 0.2, "mlp": 0.9, "mlp@prefix:40": 0.5, "other": 0.5})
    named = awa_errors(others, classes(), n_resamples=200)
    worded = caption_scores(others, references(TEXTS), n_resamples=200)
    for encoder in LENGTHS:
        for scored, measure in ((named, s.RIGHT), (worded, s.CIDER)):
            mine, theirs = result.claim(encoder, measure), scored.claim(encoder, measure)
            for column in ("value", "low", "high", "chance", "n", "n_seeds"):
                assert mine[column] == theirs[column], (encoder, measure, column)
    cells = result.table.set_index(["encoder", "seed", "part"])
    own = worded.table[(worded.table["encoder"] == "mlp") & (worded.table["seed"] == 1)]
    assert cells.loc[("mlp", 1, s.OTHERS), "cider_d"] == pytest.approx(own["cider_d"].mean())
    assert result.claim("mlp", s.CIDER, group=s.TRAINING)["value"] != result.claim("mlp", s.CIDER)["value"]


def test_losses_have_students_interval_over_seeds_and_no_chance(result):
    claim = result.claim("mlp", s.LOSS, group=s.TRAINING)
    wanted = stats.t.interval(0.95, 1, loc=0.15, scale=stats.sem([0.1, 0.2]))
    assert (claim["low"], claim["high"]) == pytest.approx(wanted)
    assert (claim["value"], claim["n"], claim["n_seeds"]) == (pytest.approx(0.15), 300, 2)
    assert np.isnan(claim["chance"])
    assert result.claim("mlp", s.LOSS, group=s.HELD_OUT)["value"] == pytest.approx(1.15)


def test_a_mapper_is_a_sweep_over_its_lengths(result):
    assert result.sweeps == {"mlp": {"mlp@prefix:2": 2, "mlp": 10, "mlp@prefix:40": 40}, "other": {"other": 5}}
    assert list(result.headline()["soft prompts"]) == [2, 10, 40, 5]
    assert "mlp with 10 soft prompts, the best of 2, 10, 40, has " in result.summary()
    assert f"of {N} that it learnt from" in result.summary()
    parameters = result.table.drop_duplicates("encoder").set_index("encoder")["parameters"]
    assert parameters["mlp@prefix:40"] == 40 * 4 * (3 + 1)


def test_captions_that_have_nothing_to_do_with_pictures_score_chance(fits):
    rng = np.random.default_rng(0)
    held, tries = 0, 8
    for _ in range(tries):
        any_ = [captions({row: speech(rng) for row in TEXTS}, one.encoder, one.seed) for one in fits[:2]]
        made = prefix_length(fits[:2], any_, references(TEXTS), classes(), n_resamples=100)
        above = [made.claim("mlp@prefix:2", measure, against="chance") for measure in (s.RIGHT, s.CIDER)]
        held += sum(claim["low"] <= 0 <= claim["high"] for claim in above)
    assert held >= 13  # of 16; 12 or fewer of 95 % intervals come once in 130 times


def test_the_figure_draws_every_fit_and_says_chance_and_n(result, tmp_path):
    figure = result.plot("sweep")
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert set(panels) == {"named right, %", "CIDEr-D × 100", "loss, nats a token"}
    drawn_values = [y for line in panels["CIDEr-D × 100"].lines for y in np.atleast_1d(line.get_ydata())]
    for encoder in LENGTHS:
        for group in (s.OTHERS, s.TRAINING):
            assert np.isclose(drawn_values, 100 * result.claim(encoder, s.CIDER, group=group)["value"]).any()
    assert f"{N} pictures" in figure.get_suptitle()
    assert "chance" in [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert PrefixLength.load(result.save(tmp_path / "r")) == result


def test_what_cannot_be_scored_is_refused(fits, result):
    said_ = said(dict.fromkeys(LENGTHS, 0.5))
    with pytest.raises(EmptyDataError, match="There are no fits"):
        prefix_length([], [], references(TEXTS))
    with pytest.raises(MismatchError, match="mlp, seed 1"):
        prefix_length(fits, [one for one in said_ if (one.encoder, one.seed) != ("mlp", 1)], references(TEXTS))
    bare = references({row: [] for row in TEXTS})
    with pytest.raises(EmptyDataError, match="neither classes nor captions"):
        prefix_length(fits, said_, bare)
    worded = prefix_length(fits, said_, references(TEXTS), n_resamples=50)
    assert set(worded.estimates["measure"]) == {s.CIDER, s.LOSS}
    assert " CIDEr-D × 100 " in worded.answer()
    assert worded.plot() is not None


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study():
    return load_study("clipcap-microworld", quiet=True)


def test_a_name_says_how_many_soft_prompts(study):
    spec = study.encoder_spec("mlp-frozen@prefix:3")
    assert spec == study.encoder_spec("mlp-frozen").model_copy(update={"prompt_tokens": 3})
    own = study.encoder_spec("mlp-frozen").prompt_tokens
    names = study.named(["mlp-frozen@prefixes"])
    assert [study.encoder_spec(name).prompt_tokens for name in names] == [1, 2, 5, 10, 20, 40]
    assert names.count("mlp-frozen") == 1
    assert study.named([f"mlp-frozen@prefix:{own}"]) == ["mlp-frozen"]
    assert study.twin("mlp-tuned") == "mlp-tuned-random"
    assert study.twin("mlp-tuned@prefix:3") is None


@pytest.mark.parametrize(
    ("study_name", "encoder", "error", "message"),
    [
        ("clipcap-microworld", "mlp-frozen@prefix:0", UnknownNameError, "No prefix `prefix:0`"),
        ("clipcap-microworld", "mlp-frozen@prefix:many", UnknownNameError, "prefix:40"),
        ("clipcap-microworld", "mlp-frzen@prefix:3", UnknownNameError, "Did you mean `mlp-frozen`"),
        ("microworld", "beit@prefix:3", BadInputError, "Each token of `beit` is a soft prompt"),
        ("microworld", "beit@prefixes", BadInputError, "Each token of `beit` is a soft prompt"),
    ],
)
def test_a_wrong_number_of_soft_prompts_is_refused(study_name, encoder, error, message):
    with pytest.raises(error, match=message):
        load_study(study_name).named([encoder])


def test_training_captions_are_of_rows_that_were_learnt(fits):
    key = TrainingCaptions(tuple(said(dict.fromkeys(LENGTHS, 0.5))), references(TEXTS), None)
    assert replace(key, captions=key.captions[:2]).key != key.key
