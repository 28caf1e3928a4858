"""ClipCap's mappers and studies: first weights, folding, what is saved, and the published settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from released_clipcap import mapped, mlp_shapes, transformer_shapes
from tiny_fit import NOUNS, PROMPT, RECIPE, features, language_model, run, texts

import concepttransfer as ct
from concepttransfer.captioning import caption
from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError, ShapeError
from concepttransfer.projections import build_projection
from concepttransfer.training.recipe import ProjectionSpec
from concepttransfer.training.sources import StoredFeatures

KINDS = {
    "mlp": {},
    "transformer": {"layers": 2, "heads": 4, "clip_tokens": 3},
}


def made(kind, dim=6, d_model=16, k=5, **more):
    return build_projection(kind, dim=dim, d_model=d_model, prompt_tokens=k, **KINDS[kind] | more)


def started(kind, deviation=0.1, scale=1.0, seed=3, **shape):
    projection = made(kind, **shape)
    projection.start(deviation, scale, seed)
    return projection.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_shapes_are_the_published_ones(kind):
    shapes = {
        "mlp": mlp_shapes(6, k=5, d=16),
        "transformer": transformer_shapes(6, k=5, clip_tokens=3, layers=2, d=16),
    }[kind]
    found = {f"clip_project.{name}": tuple(value.shape) for name, value in made(kind).state_dict().items()}
    assert found == shapes


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_equal_the_published_arithmetic_in_double_precision(kind):
    projection = started(kind, deviation=1.0).double()
    x = torch.randn(7, 6, dtype=torch.float64)
    expected = mapped(projection.state_dict(), x, heads=4).reshape(7, 5, 16)
    torch.testing.assert_close(projection(x[:, None]), expected, rtol=1e-10, atol=1e-10)
    assert (expected[0] - expected[1]).abs().max() > 0.1, "prompts depend on the picture"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_first_prompts_are_as_large_as_words_whatever_the_features_scale(kind, scale):
    projection = started(kind, deviation=0.07, scale=scale, dim=256, d_model=64, k=10)
    assert projection(torch.randn(50, 1, 256) * scale).std().item() == pytest.approx(0.07, rel=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_first_weights_follow_the_seed_alone(kind):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (started(kind, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(*(next(iter(state.values())) for state in (one, other)))


@pytest.mark.parametrize("kind", KINDS)
def test_folded_standardisation_gives_the_same_prompts_from_plain_weights(kind):
    projection = started(kind)
    projection.standardize(torch.randn(6) * 5, torch.rand(6) * 3 + 0.1)
    x = torch.randn(7, 1, 6) * 4
    before = projection(x)
    projection.fold()
    plain = made(kind)
    plain.load_state_dict(projection.state_dict())
    torch.testing.assert_close(plain.eval()(x), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_masks_follow_the_draws(kind):
    projection = started(kind, dropout=0.25).train()
    x = torch.randn(4, 1, 6)
    whole = projection(x, [11, 12, 13, 14])
    torch.testing.assert_close(whole[2:], projection(x[2:], [13, 14]))
    assert 0 < (whole == 0).float().mean() < 0.5
    torch.testing.assert_close(projection.eval()(x, [11, 12, 13, 14]), projection(x))


def test_shapes_that_cannot_be_are_refused():
    with pytest.raises(BadInputError, match=r"kind `mlp` makes k soft prompts .* prompt_tokens: 10"):
        build_projection("mlp", dim=6, d_model=16)
    with pytest.raises(BadInputError, match=r"16 wide, which 5 heads cannot share evenly.*: 1, 2, 4, 8, 16"):
        made("transformer", heads=5)
    with pytest.raises(BadInputError, match="layers of 1 or more; 0"):
        made("transformer", layers=0)
    with pytest.raises(BadInputError, match="no hidden layer"):
        made("transformer", mlp_ratio=0.01)
    with pytest.raises(ShapeError, match=r"takes features \[pictures, 1, 6\]; these are \[2, 9, 6\]"):
        made("mlp")(torch.zeros(2, 9, 6))


# Fits ----------------------------------------------------------------------------------------------------------------


def fitted(folder, kind, tuned, model, **changes):
    spec = ProjectionSpec(kind=kind, **KINDS[kind])
    recipe = RECIPE.model_copy(update={"projection": spec, "language_model": "tuned" if tuned else "frozen", **changes})
    return run(folder, recipe, model, source=StoredFeatures(features(tokens=1)), prompt_tokens=4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tuned", [False, True])
def test_what_is_saved_is_what_was_trained(tmp_path, kind, tuned):
    """With a frozen language model the mapper alone; in either case the language model is given back as it came."""
    model = language_model("gpt2")
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    transfer = fitted(tmp_path / "t", kind, tuned, model)
    mapper = sum(p.numel() for p in transfer.projection().parameters())
    own = sum(p.numel() for p in model.module.parameters())
    files = {path.name for path in transfer.folder.glob("*.safetensors")}
    assert files == {"projection.safetensors"} | ({"language_model.safetensors"} if tuned else set())
    assert transfer.n_trained == mapper + (own if tuned else 0)
    assert transfer.kind == kind
    assert build_projection(kind, dim=10, d_model=16, prompt_tokens=4, **transfer.options)
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    if tuned:
        state = transfer.language_model_state()
        assert any(not torch.equal(value, before[name]) for name, value in state.items())


@pytest.mark.parametrize(("kind", "tuned"), [("mlp", True), ("transformer", False)])
def test_a_fit_learns_what_is_seen_and_where_a_caption_ends(tmp_path, kind, tuned):
    model = language_model("gpt2", width=32)
    changes = {"steps": 200, "lr": 3e-3, "evaluate_every": 100, "save_every": 200}
    transfer = fitted(tmp_path / "t", kind, tuned, model, batch_size=16, **changes)
    assert transfer.history["loss"].iloc[-10:].mean() < 0.6 * transfer.history["loss"].iloc[0]
    seen = features(tokens=1)
    where = {"key": "k", "encoder": "tiny", "seed": 0, "manifest_id": "m", "on": "o", "study": "s", "quiet": True}
    said = caption(seen, transfer, model, tmp_path / "c", prompt=PROMPT, decoding=Decoding(max_tokens=12), **where)
    shown = [NOUNS[i % 4] for i in range(40)]
    right = [noun in text.split() for noun, text in zip(shown, said.table["text"], strict=True)]
    assert np.mean(right) > 0.9
    ended = [ids[-1] == 0 for ids, _ in said.tokens()]
    assert np.mean(ended) > 0.9
    assert max(len(caption_.split()) for both in texts() for caption_ in both) < 8


# Studies -------------------------------------------------------------------------------------------------------------


def test_the_published_settings_stand_in_the_study():
    study = ct.load_study("clipcap")
    assert (study.spec.language_model, study.spec.prompt, study.spec.train.prompt) == ("hf:gpt2", "", "")
    captions, batch = 566_747, 40
    combinations = {
        "mlp-tuned": ("mlp", "tuned", 10, "ViT-B-32"),
        "mlp-frozen": ("mlp", "frozen", 10, "ViT-B-32"),
        "transformer-frozen": ("transformer", "frozen", 10, "ViT-B-32"),
        "transformer-tuned": ("transformer", "tuned", 10, "ViT-B-32"),
        "transformer-frozen-rn50x4": ("transformer", "frozen", 40, "RN50x4"),
    }
    for name, (kind, model, k, clip) in combinations.items():
        recipe, spec = study.recipe(name), study.encoder_spec(name)
        assert (recipe.projection.kind, recipe.language_model, spec.prompt_tokens) == (kind, model, k)
        assert spec.features == "projected"
        assert clip in spec.model
        assert recipe.steps == round(10 * captions / batch)
        assert (recipe.batch_size, recipe.lr, recipe.warmup_steps, recipe.schedule) == (40, 2e-5, 5000, "linear")
        assert (recipe.weight_decay, recipe.betas, recipe.clip, recipe.dropout) == (0, (0.9, 0.999), None, 0)
        assert spec.normalize == (name == "transformer-frozen-rn50x4")
    released = study.recipe("transformer-frozen-rn50x4").projection.options
    assert released == {"layers": 8, "heads": 8, "clip_tokens": 40, "mlp_ratio": 2}
    assert study.spec.decoding.stop == (".",)
    assert (study.spec.decoding.method, study.spec.decoding.beams) == ("beam", 5)


SMALL = """
like: clipcap-microworld
name: small
data: {few: {reader: microworld, split: projection, limit: 24}, shown: {reader: microworld, split: dev, limit: 6}}
train: {data: few, steps: 2, batch_size: 4, seeds: 1, warmup_steps: 1, micro_batch: 4}
evaluate: {animals: shown, captions: shown, questions: null, prefixes: shown}
splits: null
answering: {examples: null}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(SMALL)
    return ct.load_study(path, quiet=True)


def test_features_have_length_one_in_training_and_in_use(small):
    spec = small.encoder_spec("mlp-tuned")
    plain = small.with_spec(
        small.spec.model_copy(
            update={"encoders": {**small.spec.encoders, "plain": spec.model_copy(update={"normalize": False})}}
        )
    )
    for on in ("few", "shown"):
        values = small.features("mlp-tuned", on=on).values[:].astype(np.float32)
        assert np.linalg.norm(values, axis=-1) == pytest.approx(1, abs=2e-3)
        other = plain.features("plain", on=on)
        assert np.linalg.norm(other.values[:].astype(np.float32), axis=-1).std() > 0.01
        assert other.space != small.features("mlp-tuned", on=on).space
    assert small.transfers("mlp-tuned")[0].space == small.features("mlp-tuned", on="shown").space


def test_the_small_study_runs_with_the_same_commands(small):
    names = ["mlp-tuned", "transformer-frozen", "mlp-tuned-blind"]
    result = small.analyze("awa-errors", encoders=names, n_resamples=50)
    assert set(result.encoders) == {*names, "mlp-tuned-random", "transformer-frozen-random"}
    blind = small.captions("mlp-tuned-blind", on="shown")[0]
    assert blind.table["text"].nunique() == 1, "without pictures every caption is the same"
    swept = small.analyze("prefix-length", encoders=["mlp-frozen@prefix:1", "mlp-frozen@prefix:2"], n_resamples=50)
    assert swept.sweeps == {"mlp-frozen": {"mlp-frozen@prefix:1": 1, "mlp-frozen@prefix:2": 2}}
    assert swept.provenance["training_pictures"] == 6
    learnt = set(small.manifest("few").ids)
    from concepttransfer.study.scoring import training_captions

    trained = training_captions(small, ["mlp-frozen@prefix:1"], small.select("shown")[0])
    assert set(trained.captions[0].row_ids) <= learnt
    assert trained.classes is not None
