"""What training more buys: levels of the other analyses, differences as a plain count has them, chance where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from concepttransfer.analyses._tuning.fits import is_blind, least
from concepttransfer.analyses._tuning.words import count
from concepttransfer.analyses.awa_errors import awa_errors
from concepttransfer.analyses.caption_scores import caption_scores
from concepttransfer.analyses.tuning import Tuning, tuning
from concepttransfer.captioning import Captions
from concepttransfer.concepts.sources import animals
from concepttransfer.errors import EmptyDataError, MismatchError
from concepttransfer.manifest import Manifest, Row
from concepttransfer.projections import Linear
from concepttransfer.result import Result
from concepttransfer.transfer import Transfer

RIGHT, CIDER = "named right", "CIDEr-D"
NAMES = ("lion", "zebra", "otter", "horse", "bat", "cow", "ox", "pig", "tiger", "skunk", "mole", "deer", "seal", "fox")
N = 9
PARAMETERS = {"linear": 8 * 4 + 4, "blind": 36, "linear-random": 36, "adapters": 36 + 64, "magma": 36 + 64 + 30}
SHARES = {"linear": 0.5, "blind": 0.0, "linear-random": 0.1, "adapters": 0.75, "magma": 0.9}
"""Of pictures named right; otherwise any name is said."""


@pytest.fixture(scope="module")
def manifest():
    rows = [
        Row(f"{name}/{i}", None, (f"a {name} in the grass", f"the {name} runs"), {"class": name})
        for name in NAMES
        for i in range(N)
    ]
    return Manifest("drawn", tuple(rows))


@pytest.fixture(scope="module")
def concepts(manifest):
    return animals(manifest)


@pytest.fixture(scope="module")
def transfers(tmp_path_factory):
    """One a system and two seeds, that trained what their names say."""
    folder = tmp_path_factory.mktemp("fits")
    return {(name, seed): _transfer(folder, name, seed) for name in SHARES for seed in (0, 1)}


def _transfer(folder, name, seed):
    made = Linear(8, 4)
    made.start(1.0, 1.0, seed)
    more = {}
    if name in ("adapters", "magma"):
        more = {"language_model_state": {"layers.0.mlp.down.weight": torch.ones(8, 8) * seed}}
        more["adapters"] = {"where": ["mlp"], "kind": "sequential", "downsample": 4, "layer_norm": False}
    if name == "magma":
        more["encoder_state"] = {"weight": torch.ones(30), "running_mean": torch.zeros(7)}
    parts = {"space": "s", "encoder_identity": name, "language_model_id": "l", "tokens": 1, "seconds": 10.0 + seed}
    meta = {"recipe": {"steps": 500, "batch_size": 32}}
    return Transfer.write(folder / f"{name}-{seed}", made, key="k", encoder=name, seed=seed, meta=meta, **parts, **more)


def captions(transfer, share, manifest, spoken=0):
    """`a NAME in the grass`, the right name with some probability."""
    rng = np.random.default_rng([transfer.seed, int(100 * share), spoken])
    said = [
        f"a {row.labels['class'] if rng.random() < share else rng.choice(NAMES)} in the grass" for row in manifest.rows
    ]
    table = pd.DataFrame({"row_id": list(manifest.ids), "text": said})
    table = table.assign(sample=0, prompt="A picture of", n_tokens=3, logprob=-1.0)
    key, meta = f"{transfer.encoder}-{transfer.seed}", {"transfer_id": transfer.id}
    return Captions(Path("none"), key, table, transfer.encoder, transfer.seed, "m", "drawn", "other", meta)


@pytest.fixture(scope="module")
def spoken(transfers, manifest):
    return [captions(one, SHARES[name], manifest) for (name, _), one in transfers.items()]


@pytest.fixture(scope="module")
def result(spoken, manifest, transfers, concepts):
    return tuning(spoken, manifest, list(transfers.values()), concepts, n_resamples=300)


def test_parameters_parts_and_costs_are_those_of_the_fits(result):
    table = result.to_frame().set_index("encoder")
    assert table["parameters"].to_dict() == PARAMETERS
    assert table["trains"].to_dict()["magma"] == "linear map, encoder, adapters in mlp"
    assert table["trains"].to_dict()["linear"] == "linear map"
    assert set(table["captions_seen"]) == {16000}
    assert set(table["seconds"]) == {10.5}
    assert set(table["seeds"]) == {2}


def test_levels_are_those_of_the_analyses_that_they_come_from(result, spoken, manifest, concepts):
    named = awa_errors(spoken, concepts, n_resamples=300)
    scored = caption_scores(spoken, manifest, n_resamples=300)
    for system in SHARES:
        for measure, other in ((RIGHT, named), (CIDER, scored)):
            mine, theirs = result.claim(system, measure), other.claim(system, measure)
            for column in ("value", "low", "high", "chance", "p", "n", "n_seeds"):
                assert mine[column] == theirs[column]


def test_differences_are_counted_picture_by_picture(result, spoken, concepts):
    right = {
        name: np.mean(
            [
                concepts.truth[row] in text.split()
                for one in spoken
                if one.encoder == name
                for row, text in one.texts().items()
            ]
        )
        for name in SHARES
    }
    for name in set(SHARES) - {"linear"}:
        claim, sign = result.difference(name, RIGHT, "linear")
        assert sign * claim["value"] == pytest.approx(right[name] - right["linear"])
        assert (sign * claim["value"] > 0) == (SHARES[name] > SHARES["linear"])
        assert claim["q"] < (0.05 if name != "adapters" else 0.2)
        assert claim["low"] <= claim["value"] <= claim["high"]


def test_systems_that_say_the_same_thing_by_chance_do_not_differ(transfers, manifest, concepts):
    """Unrelated captions: no level is above chance, and no difference is told more often than promised."""
    few = {key: one for key, one in transfers.items() if key[0] in ("linear", "adapters")}
    told = []
    for repeat in range(10):
        given = [captions(one, 0.0, manifest, 50 * repeat + number) for number, one in enumerate(few.values())]
        found = tuning(given, manifest, list(few.values()), concepts, n_resamples=100, seed=repeat)
        level = found.claim("linear", RIGHT)
        told.append(found.difference("adapters", RIGHT, "linear")[0]["p"] < 0.05)
        assert abs(level["value"] - level["chance"]) < 0.12
    assert sum(told) <= 2


def test_words_name_what_more_training_buys_and_what_sight_does(result):
    said = result.answer()
    assert "linear (linear map: 36 parameters)" in said
    assert "magma, which trains 3.61 times as many parameters" in said
    assert "more than blind" in said
    assert "n = 126 pictures" in said
    assert all(name in result.summary() for name in SHARES)
    table = result.headline().set_index("encoder")
    assert list(table.index)[-1] == "magma"
    assert table.loc["magma", f"{RIGHT}, over linear"].endswith(" *")
    assert table.loc["linear", f"{RIGHT}, over linear"] == "–"


def test_the_figure_shows_every_system_its_interval_chance_and_n(result):
    figure = result.plot()
    panels = figure.axes[:2]
    assert [axes.get_title(loc="left") for axes in panels] == [RIGHT, CIDER]
    assert all(axes.get_xscale() == "log" for axes in panels)
    labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert sorted(label.partition(":")[0] for label in labels) == sorted([*SHARES, "chance"])
    points = [line for line in panels[0].get_lines() if line.get_marker() not in (None, "None", "")]
    drawn = sorted(float(line.get_ydata()[0]) for line in points)
    assert drawn == pytest.approx(sorted(result.claim(name, RIGHT)["value"] for name in SHARES))
    assert "126 pictures" in figure.get_suptitle()


def test_it_is_saved_and_read_again(result, tmp_path):
    result.save(tmp_path / "r")
    assert Result.load(tmp_path / "r") == result
    assert isinstance(Result.load(tmp_path / "r"), Tuning)


def test_without_classes_captions_alone_are_scored_and_one_system_has_no_difference(spoken, manifest, transfers):
    mine = [one for one in spoken if one.encoder == "linear"]
    alone = tuning(mine, manifest, list(transfers.values()), n_resamples=50)
    assert alone.measures == (CIDER,)
    assert alone.estimates["against"].isna().all()
    assert "Nothing that trains more" in alone.answer()
    blind = [one for one in spoken if one.encoder == "blind"]
    assert "nothing that sees" in tuning(blind, manifest, list(transfers.values()), n_resamples=50).answer()


def test_captions_without_their_fit_are_refused(spoken, manifest, transfers):
    with pytest.raises(MismatchError, match=r"captions of magma \(seed 0\)"):
        tuning(spoken, manifest, [one for one in transfers.values() if one.encoder != "magma"], n_resamples=20)
    with pytest.raises(EmptyDataError, match="no captions"):
        tuning([], manifest, list(transfers.values()))


def test_blind_ones_are_known_by_name_and_the_least_sees():
    assert [is_blind(name) for name in ("blind", "magma-blind", "blind-magma", "blindfold", "clip")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    fits = pd.DataFrame({"encoder": ["blind", "a-random", "big", "small", "small-too"], "parameters": [1, 1, 9, 3, 3]})
    assert least(fits) == "small"
    assert least(fits.iloc[:2]) is None


def test_numbers_of_parameters_are_short():
    assert [count(n) for n in (36, 41_216, 2_345_678, 6_053_000_000)] == [
        "36",
        "41.2 thousand",
        "2.35 million",
        "6.05 billion",
    ]
