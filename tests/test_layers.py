"""An encoder read at another place, by name: the spec, its twin, its key, and how it is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from concepttransfer.analyses._similarity.by_layer import has_layers, stems_of
from concepttransfer.analyses.linear_probe import LinearProbe
from concepttransfer.analyses.similarity import similarity
from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.features import Features
from concepttransfer.result.figures import looks_of
from concepttransfer.statistics.claims import is_control, is_random, layer_of, learnt, stem
from concepttransfer.study import load_study
from concepttransfer.study.keys import features as features_key


@pytest.fixture(scope="module")
def study():
    return load_study("microworld", limit=6, quiet=True)


def test_an_encoder_read_elsewhere_is_the_same_one_with_other_features(study):
    written, layer = study.encoder_spec("beit"), study.encoder_spec("beit@layer:2")
    assert layer.features == "layer:2"
    assert layer.model_copy(update={"features": written.features}) == written
    selection = study.select("animals")[0]
    keys = {features_key(study, name, selection) for name in ("beit", "beit@layer:2", "beit@layer:3", "beit@pooled")}
    assert len(keys) == 4
    assert features_key(study, f"beit@{written.features}", selection) == features_key(study, "beit", selection)


def test_its_random_control_is_read_at_the_same_place(study):
    assert study.twin("beit@layer:2") == "beit-random@layer:2"
    assert study.twin("beit-ft@pooled") == "beit-random@pooled"
    assert study.twin("beit-random@layer:2") is None
    assert study.with_twins(["clip@layer:0"]) == ["clip@layer:0", "clip-random@layer:0"]


@pytest.mark.parametrize(("encoder", "n", "width"), [("beit", 6, 160), ("nfrn50", 5, 256), ("clip", 5, 384)])
def test_all_layers_of_each_of_the_microworlds_networks_can_be_read(study, encoder, n, width):
    names = study.named([f"{encoder}@layers"])
    assert names == [f"{encoder}@layer:{k}" for k in range(n)]
    assert study.named([f"{encoder}@layer:-1", names[-1], "beit"]) == list(dict.fromkeys([names[-1], "beit"]))
    spec = study.encoder_spec(names[-1])
    from concepttransfer.encoders import load_encoder

    last = load_encoder(spec, study.root)
    assert (last.dim, last.tokens) == (width, 9)


def test_what_is_at_the_last_layer_is_what_the_encoder_gives(study):
    (last,) = study.named(["clip@layer:-1"])
    read = [study.features(one, on="animals").values[:].astype(np.float32) for one in (last, "clip")]
    assert read[0].shape == read[1].shape
    assert np.abs(read[0] - read[1]).max() < 1e-2


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("biet@layer:2", UnknownNameError, "Did you mean `beit`"),
        ("beit@layr:2", UnknownNameError, "Did you mean `layer"),
        ("beit@layer:9", UnknownNameError, "No layer `beit@layer:9`.*beit@layer:5"),
        ("nfrn50-tuned@layer:1", BadInputError, "trained with its projection"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(study, name, error, words):
    with pytest.raises(error, match=words):
        study.named([name])


def test_what_a_name_says_of_itself():
    assert (stem("beit@layer:6"), layer_of("beit@layer:6"), layer_of("beit@pooled")) == ("beit", 6, None)
    assert is_random("beit-random@layer:6")
    assert not is_random("beit@layer:6")
    assert learnt("beit-random@layer:6") == "beit@layer:6"
    assert is_control("beit-random@layer:6", "beit-ft@layer:6")
    assert not is_control("beit-random@layer:6", "beit@layer:5")
    assert not is_control("clip-random", "beit")


def test_layers_of_an_encoder_share_its_colour_from_light_to_dark():
    names = ["beit@layer:0", "beit@layer:3", "beit@layer:10", "beit-random@layer:10", "beit", "clip@layer:1"]
    looks = looks_of(names, ["clip", "beit"])
    light = [sum(bytes.fromhex(looks[name].colour[1:])) for name in names]
    assert light[0] > light[1] > light[2] == light[4]
    assert {looks[name].marker for name in names[:5]} == {looks["beit"].marker} != {looks["clip@layer:1"].marker}
    assert looks["beit-random@layer:10"].fill == "white"
    assert looks["clip@layer:1"].colour == looks_of(["clip"], ["clip", "beit"])["clip"].colour


def test_similarity_is_drawn_layer_by_layer():
    rng = np.random.default_rng(0)
    rows = tuple(f"row {n}" for n in range(30))
    values = [rng.normal(size=(30, 1, 8)).astype(np.float32) for _ in range(4)]
    names = ["beit@layer:10", "beit@layer:2", "beit", "clip"]
    result = similarity(
        [Features(None, n, v, rows, "m", n, n, n) for n, v in zip(names, values, strict=True)], None, None
    )
    assert has_layers(result.encoders)
    assert stems_of(result.encoders) == {"beit": ["beit@layer:2", "beit@layer:10", "beit"], "clip": ["clip"]}
    maps = [axes for axes in result.plot("pictures").axes if axes.get_images()]
    assert [one.get_images()[0].get_array().shape for one in maps] == [(3, 3), (1, 3), (1, 1)]
    cka = maps[1].get_images()[0].get_array()[0]
    assert cka[0] == pytest.approx(result.between("clip", "debiased CKA", "beit@layer:2")["value"])


def test_accuracy_is_drawn_over_layers():
    names = ["beit@layer:0", "beit@layer:4", "beit", "beit-random@layer:0", "beit-random@layer:4"]
    about = {"study": "s", "on": "o", "group": "classes like these", "measure": "accuracy", "against": None}
    about |= {"p": np.nan, "q": np.nan, "n_seeds": 1, "method": ""}
    levels = dict(zip(names, (0.2, 0.4, 0.45, 0.1, 0.12), strict=True))
    rows = [
        {
            **about,
            "system": name,
            "value": v,
            "low": v - 0.05,
            "high": v + 0.05,
            "chance": 0.05,
            "n": 9,
            "n_clusters": 3,
        }
        for name, v in levels.items()
    ]
    row = {"row_id": "r", "seed": 0, "on": "o", "class": "a", "predicted": "a", "right": True, "probability": 1.0}
    table = pd.DataFrame([{**row, "encoder": name} for name in names])
    result = LinearProbe(table=table, estimates=pd.DataFrame(rows), provenance={"encoders": names})
    (axes,) = result.plot("accuracy").axes
    curves = {line.get_label(): line.get_ydata() for line in axes.lines if not line.get_label().startswith("_")}
    assert curves["beit"] == pytest.approx([20, 40])
    assert curves["beit-random"] == pytest.approx([10, 12])
