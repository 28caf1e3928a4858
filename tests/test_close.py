"""CLOSE: what is learnt from texts alone opens no picture, and is used on pictures; its studies are the paper's."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

import concepttransfer as ct
from concepttransfer.errors import BadInputError, ConceptTransferError, StudyError
from concepttransfer.feature_adapters import FeatureAdapter
from concepttransfer.manifest import Manifest
from concepttransfer.study import pipeline

STUDY = """
name: small-microworld
like: close-microworld
encoders:
  plain: {{like: close, recipe: {{feature_adapter: {{kind: none}}}}}}
  by-four: {{like: close, recipe: {{micro_batch: 4}}}}
  any-length: {{like: close, normalize: false}}
  patches: {{like: close, features: last_map, prompt_tokens: null}}
  from-table: {{like: close, recipe: {{data: table}}}}
  from-pictures: {{like: texts, recipe: {{data: folder}}}}
data:
  few: {{reader: microworld, split: projection, limit: 40}}
  pairs: {{reader: microworld, split: projection, limit: 40}}
  table: {{reader: captions_table, table: table.csv}}
  folder: {{reader: image_folder, pictures: pictures}}
train: {{data: few, steps: 3, batch_size: 8, warmup_steps: 1, seeds: 1, validation: 0.1{more}}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A study of fits of three steps; a table of captions without pictures, one of 40 words; a folder of pictures."""
    folder = tmp_path_factory.mktemp("close")
    (folder / "study.yaml").write_text(STUDY.format(more=""), encoding="utf-8")
    rows = ["id,caption", *(f"r{i},a small dog stands in the snow" for i in range(20)), "long," + "a dog " * 20]
    (folder / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    manifest = ct.load_study("microworld").manifest("dev")
    for number in range(3):
        path = folder / "pictures" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        manifest.read(number).save(path)
    return folder


@pytest.fixture(scope="module")
def study(place):
    return ct.load_study(place / "study.yaml", quiet=True)


def weights(transfer):
    return transfer.projection().state_dict()


def test_a_fit_on_texts_opens_no_picture(study, monkeypatch):
    opened, read = [], Manifest.read

    def counted(self, index):
        opened.append(index)
        return read(self, index)

    monkeypatch.setattr(Manifest, "read", counted)
    made = study.transfers("close")[0]
    assert made.meta["recipe"]["reads"] == "texts"
    assert made.feature_adapter_state() is None  # noise has nothing to keep
    assert opened == []
    study.transfers("pictures")
    assert len(opened) == 40


def test_texts_without_pictures_are_enough_and_what_is_cut_is_told(study, caplog):
    with caplog.at_level(logging.WARNING):
        made = study.transfers("from-table")[0]
    assert made.meta["rows"] + made.meta["held_out"] == 21
    assert "1 of 21 texts of `table` are longer than from-table's text tower reads; their ends are cut" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        pipeline.features(study, "close", study.select("dev")[0].with_manifest(study.manifest("dev").limit(2)))
    assert "longer" not in caplog.text


def test_what_is_learnt_from_texts_speaks_of_pictures(study):
    selection = study.select("dev")[0]
    said = pipeline.captions(study, "close", selection.with_manifest(selection.manifest.limit(3)))
    assert len(said[0].texts()) == 3


def test_noise_follows_the_captions_and_not_the_micro_batch(study):
    one, other = (weights(study.transfers(name)[0]) for name in ("close", "by-four"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6)


def test_without_noise_the_adapter_changes_nothing_of_features_that_have_length_one(study):
    plain, texts, noisy = (weights(study.transfers(name)[0])["weight"] for name in ("plain", "texts", "close"))
    apart, by_noise = (plain - texts).abs().mean(), (noisy - texts).abs().mean()
    assert apart < 0.02 * by_noise  # stored features have length 1 but for their rounding


def test_an_adapter_is_fitted_on_the_pairs_that_the_study_names(study):
    made = study.transfers("close-linear")[0]
    spec = study.recipe("close-linear").feature_adapter
    kept = FeatureAdapter.load(spec, made.feature_adapter_state(), space=made.space)
    pictures = study.features("close", on="pairs")
    from concepttransfer.study.text_features import text_features

    texts = text_features(study, "close", study.select("pairs")[0])
    read = torch.as_tensor(np.asarray(texts.values[:])).float()
    seen = torch.as_tensor(pictures.take([name.rpartition("#")[0] for name in texts.row_ids])).float()
    before, after = (torch.nn.functional.cosine_similarity(x, seen, dim=-1).mean() for x in (read, kept(read)))
    assert after > before + 0.05
    kept.check(texts.space, texts.dim)


def test_what_cannot_be_learnt_from_texts_is_refused(study):
    with pytest.raises(ConceptTransferError, match=r"`folder` has no texts to fit on\. Name data with captions"):
        study.transfers("from-pictures")
    with pytest.raises(BadInputError, match=r"`any-length` gives features of length 1.*Say `normalize: true`"):
        study.transfers("any-length")
    with pytest.raises(BadInputError, match="`patches` reads `last_map`, which no text tower gives"):
        study.transfers("patches")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (", feature_adapter: {kind: noise}", "needs `noise:`"),
        (", reads: texts, feature_adapter: {kind: linear, paired: parts}", "parts"),
        (", reads: text", "reads"),
    ],
)
def test_mistakes_of_a_study_are_told_with_their_line(tmp_path, more, says):
    (tmp_path / "study.yaml").write_text(STUDY.format(more=more), encoding="utf-8")
    with pytest.raises(StudyError, match=rf"line \d+.*{says}"):
        ct.load_study(tmp_path / "study.yaml")


def test_systems_of_the_small_study_differ_in_what_is_done_to_texts():
    study = ct.load_study("close-microworld")
    kinds = {name: getattr(study.recipe(name).feature_adapter, "kind", None) for name in study.encoders}
    assert kinds["close"] == "noise"
    assert set(kinds.values()) == {
        None,
        "noise",
        "mean_shift",
        "negated_mean",
        "random_shift",
        "linear",
        "covariance",
    }
    assert study.recipe("pictures").reads == study.recipe("pictures-blind").reads == "pictures"
    assert all(study.encoder_spec(name).normalize for name in study.encoders)
    assert study.twin("close-linear") == "close-random"


def test_the_papers_settings():
    study = ct.load_study("close")
    recipe, spec = study.recipe("close"), study.encoder_spec("close")
    assert (spec.model, spec.features, spec.normalize, spec.prompt_tokens) == (
        "open_clip:ViT-L-14/openai",
        "projected",
        True,
        4,
    )
    assert (recipe.reads, recipe.language_model, recipe.lr, recipe.batch_size) == ("texts", "tuned", 3e-4, 128)
    assert recipe.steps == 8 * 566_747 // 128
    assert (recipe.feature_adapter.kind, recipe.feature_adapter.noise) == ("noise", 0.08)
    assert (recipe.betas, recipe.weight_decay, recipe.clip, recipe.warmup_steps) == ((0.9, 0.999), 0.0, None, 0)
    assert (study.spec.decoding.method, study.spec.decoding.beams, study.spec.decoding.max_tokens) == ("beam", 5, 32)
    assert study.recipe("close-covariance").feature_adapter.scale in (None, 3.0)
    assert study.spec.language_model == "hf:google-t5/t5-base"
