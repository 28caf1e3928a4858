"""Sensitivity: scores are those of the analyses that score captions; systems are what their recipes say."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from caption_samples import captions, described, drawn, references, speech

from concepttransfer.analyses._prefix_length.scores import CIDER, RIGHT
from concepttransfer.analyses._sensitivity.systems import System, base_of, systems_of
from concepttransfer.analyses.awa_errors import awa_errors
from concepttransfer.analyses.caption_scores import caption_scores
from concepttransfer.analyses.sensitivity import Sensitivity, sensitivity
from concepttransfer.concepts import ConceptSet
from concepttransfer.concepts.concept_set import Concept
from concepttransfer.errors import BadInputError, EmptyDataError, MismatchError
from concepttransfer.projections import Linear
from concepttransfer.result import Result
from concepttransfer.transfer import Transfer

N = 60
TEXTS = drawn(N, seed=1)
NAMES = ("dog", "cat", "horse")
RIGHT_SHARE = {
    "texts": 0.5,
    "close": 0.8,
    "close-more": 0.6,
    "close-mean": 0.8,
    "close-away": 0.1,
    "close-linear": 0.7,
    "pictures": 0.95,
    "pictures-blind": 0.2,
    "close-random": 0.1,
    "close-tuned": 0.9,
}
ADAPTERS = {
    "texts": None,
    "close": {"kind": "noise", "noise": 0.08},
    "close-more": {"kind": "noise", "noise": 0.2},
    "close-mean": {"kind": "mean_shift", "noise": 0.08, "paired": "pairs"},
    "close-away": {"kind": "random_shift", "noise": 0.08, "magnitude": 2.0},
    "close-linear": {"kind": "linear", "noise": 0.08, "paired": "pairs"},
    "close-random": {"kind": "noise", "noise": 0.08},
    "close-tuned": {"kind": "noise", "noise": 0.08},
}
SHIFTS = {"close-mean": [0.3, 0.5], "close-away": [2.0, 2.0]}
"""The length of the shift that each seed's fit found."""


@functools.cache
def classes():
    concepts = tuple(Concept(name, f"{name}.n.01", (name,)) for name in NAMES)
    truth = {row: next((w for w in text[0].split() if w in NAMES), "dog") for row, text in TEXTS.items()}
    return ConceptSet("three", concepts, truth)


def fit(folder, encoder, seed, recipe, shift=None):
    history = pd.DataFrame({"step": [1, 2], "loss": [2.0, 1.0], "validation_loss": [np.nan, 1.5], "lr": 0.1})
    where = {"space": "s", "encoder_identity": "e", "language_model_id": "l", "tokens": 1}
    state = None if shift is None else {"shift": torch.tensor([0.6, 0.8, 0.0]) * shift}
    about = {"meta": {"recipe": recipe} if recipe else {}, "history": history, "feature_adapter_state": state}
    return Transfer.write(folder, Linear(3, 4, 4), key="k", encoder=encoder, seed=seed, **where, **about)


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    made = []
    for encoder in RIGHT_SHARE:
        for seed in range(2):
            recipe = {"reads": "texts", "feature_adapter": ADAPTERS[encoder]} if encoder in ADAPTERS else {"steps": 5}
            recipe |= {"language_model": "tuned"} if encoder == "close-tuned" else {}
            recipe |= {"seeds": seed + 1, "micro_batch": 8 * seed}  # these change no weight
            folder = tmp_path_factory.mktemp("fits") / f"{encoder}-{seed}"
            made.append(fit(folder, encoder, seed, recipe, SHIFTS.get(encoder, [None] * 2)[seed]))
    return made


@functools.cache
def said():
    return tuple(
        captions(described(TEXTS, np.random.default_rng([number, seed]), share), encoder, seed)
        for number, (encoder, share) in enumerate(RIGHT_SHARE.items())
        for seed in range(2)
    )


@pytest.fixture(scope="module")
def result(fits):
    return sensitivity(fits, list(said()), references(TEXTS), classes(), n_resamples=100)


def test_what_a_system_learnt_from_is_read_from_its_fits(result):
    found = {one.name: one for one in result.systems}
    kinds = {name: one.kind for name, one in found.items()}
    assert kinds == {
        "texts": "none",
        "close": "noise",
        "close-more": "noise",
        "close-mean": "mean shift",
        "close-away": "random shift",
        "close-linear": "linear",
        "pictures": "pictures",
        "pictures-blind": "blind",
        "close-random": "random control",
        "close-tuned": "another recipe",
    }
    assert found["close-mean"].magnitude == pytest.approx(0.4)
    assert (found["close"].magnitude, found["close"].noise) == (0, 0.08)
    assert np.isnan(found["close-linear"].magnitude)
    assert found["close-away"].words == "random shift of 2.00, noise 0.08"
    assert found["close-more"].words == "noise 0.2"


def test_the_base_is_the_unmoved_system_with_the_noise_of_the_others():
    def one(name, kind, noise, magnitude=0.0):
        return System(name, kind, noise, magnitude)

    systems = [one("a", "none", 0), one("b", "noise", 0.04), one("c", "noise", 0.08), one("d", "mean shift", 0.08, 1)]
    assert base_of(systems).name == "c"
    assert base_of(systems[:2]).name == "b"
    assert base_of([one("d", "mean shift", 0.08, 1)]) is None


def test_scores_are_those_of_the_analyses_that_score_captions(result):
    named = awa_errors(list(said()), classes(), n_resamples=100)
    worded = caption_scores(list(said()), references(TEXTS), n_resamples=100)
    for encoder in RIGHT_SHARE:
        for scored, measure in ((named, RIGHT), (worded, CIDER)):
            mine, theirs = result.claim(encoder, measure), scored.claim(encoder, measure)
            for column in ("value", "low", "high", "chance", "n", "n_seeds"):
                assert mine[column] == theirs[column], (encoder, measure, column)


def test_differences_from_the_base_are_those_of_the_levels_on_the_same_pictures(result):
    assert result.base.name == "close"
    for measure in (RIGHT, CIDER):
        for encoder in ("texts", "close-away", "pictures"):
            change = result.claim(encoder, measure, against="close")
            levels = [result.claim(name, measure)["value"] for name in (encoder, "close")]
            assert change["value"] == pytest.approx(levels[0] - levels[1])
            assert change["low"] < change["value"] < change["high"]
    assert (
        result.claim("close-away", CIDER, against="close")["high"]
        < 0
        < result.claim("pictures", CIDER, against="close")["high"]
    )


def test_systems_that_say_the_same_do_not_differ(fits):
    """One system's captions under two names: the difference is 0, and its interval holds it."""
    pair = [f for f in fits if f.encoder in ("close", "close-mean")]
    own = [c for c in said() if c.encoder == "close"]
    made = sensitivity(
        pair, [*own, *(replace(c, encoder="close-mean") for c in own)], references(TEXTS), classes(), n_resamples=100
    )
    for measure in made.measures:
        change = made.claim("close-mean", measure, against="close")
        assert change["low"] <= 0 <= change["high"]
        assert change["value"] == pytest.approx(0)


def test_captions_that_have_nothing_to_do_with_pictures_score_chance_and_do_not_differ(fits):
    rng, held, tried = np.random.default_rng(0), 0, 0
    pair = [f for f in fits if f.encoder in ("close", "close-away") and f.seed == 0]
    for _ in range(8):
        any_ = [captions({row: speech(rng) for row in TEXTS}, one.encoder, one.seed) for one in pair]
        made = sensitivity(pair, any_, references(TEXTS), classes(), n_resamples=100)
        for measure in made.measures:
            for claim in (
                made.claim("close", measure, against="chance"),
                made.claim("close-away", measure, against="close"),
            ):
                held, tried = held + (claim["low"] <= 0 <= claim["high"]), tried + 1
    assert held >= tried - 5, (held, tried)  # of 32: six or more 95 % intervals miss once in 190 times


def test_a_result_is_saved_drawn_and_told(result, tmp_path):
    assert Result.load(result.save(tmp_path / "result")) == result
    figure = result.plot("sweeps")
    drawn_at = {round(float(x), 6) for line in figure.axes[1].lines for x in np.ravel(line.get_xdata())}
    assert {0.0, 0.4, 2.0} <= drawn_at
    assert "close-away (random shift of 2.00, noise 0.08) has" in result.summary()
    assert "less than close (95 % interval of the difference" in result.summary()
    assert "Of 2 shifts" in result.answer()
    assert list(result.headline()["system"]) == list(RIGHT_SHARE)
    assert set(Sensitivity.columns) == set(result.to_frame())


def test_fits_on_pictures_alone_are_told_what_is_missing(fits):
    only = [f for f in fits if f.encoder == "pictures"]
    made = sensitivity(only, [c for c in said() if c.encoder == "pictures"], references(TEXTS), n_resamples=50)
    assert "None of the systems named learnt from texts" in made.summary()
    assert "None of the systems named learnt from texts" in made.answer()
    assert made.base is None
    assert made.plot("sweeps").axes


def test_what_cannot_be_scored_is_said(fits, tmp_path):
    with pytest.raises(EmptyDataError, match="Name some"):
        sensitivity([], [], references(TEXTS))
    with pytest.raises(MismatchError, match="do not belong together: close, seed 0"):
        sensitivity(fits, [c for c in said() if c.encoder != "close"], references(TEXTS))
    with pytest.raises(EmptyDataError, match="neither classes nor captions are known"):
        sensitivity(fits, list(said()), references({row: [] for row in TEXTS}))
    other = fit(tmp_path / "other", "close", 2, {"reads": "texts", "feature_adapter": None})
    with pytest.raises(BadInputError, match="made by different recipes"):
        systems_of([*fits, other])
    assert systems_of([fit(tmp_path / "imported", "x", 0, None)])[0].kind == "not known"
