"""MAGMA: released checkpoints give the published logits, what is frozen stays, and studies say what was published."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import tiny_fit
import tiny_language_models as tiny
import torch
from released_magma import DIM, Magma, as_gpt_neo
from safetensors.torch import load_file

import concepttransfer as ct
from concepttransfer.errors import BadInputError, MismatchError
from concepttransfer.language_models.adapter_spec import AdapterSpec
from concepttransfer.language_models.fitted import as_fitted
from concepttransfer.projections.import_magma import import_magma
from concepttransfer.projections.magma_file import read_magma
from concepttransfer.study import pipeline

BOTH = ("attention", "mlp")
CASES = {
    "v1": ("sequential", ("mlp",), {}),
    "v2": ("sequential", BOTH, {}),
    "limber": ("sequential", ("attention",), {"prompt_norm": False}),
    "parallel": ("parallel", BOTH, {"layer_norm": True}),
    "scaled": ("scaled_parallel", BOTH, {}),
}


def saved(path, published, change=lambda state: state, *, bare=False):
    """A checkpoint as DeepSpeed writes it, or the weights alone."""
    state = change(dict(published.state_dict()))
    torch.save(state if bare else {"module": state, "global_step": 150000, "optimizer": None}, path)
    return path


def own_encoder(published):
    """Our encoder's state: image tower, and the attention pooling that MAGMA cuts off."""
    state = {
        f"visual.{name}": torch.zeros_like(value) for name, value in published.image_prefix.enc.state_dict().items()
    }
    return state | {"visual.attnpool.c_proj.weight": torch.ones(2, 2)}


def imported(path, folder, published, **changes):
    parts = {"key": "k", "encoder": "clip", "space": "s", "encoder_identity": "e", "tokens": 3, "dim": DIM}
    parts |= {"language_model_id": "tiny-gptj", "encoder_own": own_encoder(published), "base": tiny.module("gptj")}
    return import_magma(read_magma(path), folder, **parts | changes)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("names", ["gptj", "gpt_neo"])
def test_an_imported_checkpoint_gives_the_published_logits(tmp_path, case, names):
    kind, places, more = CASES[case]
    published = Magma(kind, places, **more)
    change = as_gpt_neo if names == "gpt_neo" else dict
    path = saved(tmp_path / "mp_rank_00_model_states.pt", published, change, bare=case == "v2")
    transfer = imported(path, tmp_path / "t", published)
    assert transfer.adapters == AdapterSpec(
        where=places, kind=kind, downsample=4, layer_norm=more.get("layer_norm", False)
    ).model_dump(mode="json")
    features, ids = torch.randn(2, 3, DIM), torch.randint(0, 300, (2, 4))
    model = tiny.language_model("gptj")
    prompt = transfer.projection()(features)
    torch.testing.assert_close(prompt, published.prompt(features), atol=1e-5, rtol=1e-5)
    vectors = torch.cat([prompt, model.word_vectors[ids]], 1)
    with as_fitted(model, transfer):
        found = model.module(inputs_embeds=vectors).logits
    torch.testing.assert_close(found, published.logits(features, ids), atol=1e-5, rtol=1e-5)
    assert (model.module(inputs_embeds=vectors).logits - found).abs().max() > 0.01
    state = transfer.encoder_state()
    for name, value in published.image_prefix.enc.state_dict().items():
        assert torch.equal(state[f"visual.{name}"], value.float() if value.is_floating_point() else value)
    assert torch.equal(state["visual.attnpool.c_proj.weight"], torch.ones(2, 2))
    n_adapters = sum(p.numel() for n, p in published.lm.named_parameters() if "adapter" in n)
    n_rest = sum(p.numel() for p in published.image_prefix.parameters())
    assert transfer.n_trained == n_adapters + n_rest + 4  # attention pooling lies with the encoder


def test_a_table_of_words_that_grew_by_one_is_the_same_language_model(tmp_path):
    published = Magma("sequential", ("mlp",))
    published.lm.resize_token_embeddings(301)
    published.word_embedding = published.lm.transformer.wte
    assert imported(saved(tmp_path / "m.pt", published), tmp_path / "t", published).adapters


def without(name):
    return lambda state: {key: value for key, value in state.items() if name not in key}


def changed(name, value):
    return lambda state: {**state, name: value}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (without("image_prefix.proj"), BadInputError, "is truncated: of the projection it holds norm"),
        (without("image_prefix.ln.bias"), BadInputError, "truncated"),
        (
            without("1.mlp.1."),
            BadInputError,
            r"not the same in all layers and blocks: lacking are transformer\.h\.1\.mlp",
        ),
        (without("fc_in"), BadInputError, r"lacks transformer\.h\.0\.mlp\.fc_in"),
        (changed("lm.transformer.ln_g.weight", torch.ones(3)), BadInputError, "has transformer.ln_g.weight, which"),
        (changed("class_head.weight", torch.ones(3)), BadInputError, "do not have: class_head.weight"),
        (
            changed("lm.transformer.ln_f.weight", torch.full((32,), 1.5)),
            MismatchError,
            "freezing|although they were to be",
        ),
        (without("image_prefix.enc.1."), BadInputError, r"encoder in .* lacks visual\.1\."),
        (changed("image_prefix.enc.0.weight", torch.ones(2)), MismatchError, r"is \[2\]; that of `clip` is"),
        (changed("lm.transformer.wte.weight", torch.zeros(300, 32)), BadInputError, "should be the same"),
        (
            changed("image_prefix.proj.weight", torch.ones(32, 9)),
            MismatchError,
            "features 6 wide; m.pt takes features 9",
        ),
    ],
)
def test_a_checkpoint_with_other_parts_is_refused_and_nothing_is_written(tmp_path, change, error, said):
    published = Magma("sequential", BOTH)
    with pytest.raises(error, match=said):
        imported(saved(tmp_path / "m.pt", published, change), tmp_path / "t", published)
    assert not (tmp_path / "t").exists()


def test_a_tuned_encoder_needs_a_study_that_says_so(tmp_path):
    published = Magma("sequential", ("mlp",))
    path = saved(tmp_path / "m.pt", published)
    with pytest.raises(MismatchError, match="say `train: true` of `clip`"):
        imported(path, tmp_path / "t", published, encoder_own=None)
    frozen = saved(tmp_path / "f.pt", published, without("image_prefix.enc"))
    assert imported(frozen, tmp_path / "f", published, encoder_own=None).encoder_state() is None


def test_files_of_others_and_cut_ones_are_told(tmp_path):
    torch.save({"clip_project.model.0.weight": torch.ones(2, 2)}, tmp_path / "clipcap.pt")
    with pytest.raises(BadInputError, match="looks like ClipCap's"):
        read_magma(tmp_path / "clipcap.pt")
    path = saved(tmp_path / "m.pt", Magma("sequential", ("mlp",)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInputError, match="damaged"):
        read_magma(path)


def digest(module):
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in module.state_dict().values())).hexdigest()


def test_a_fit_trains_adapters_and_leaves_every_byte_of_the_language_model(tmp_path):
    model = tiny_fit.language_model()
    before = digest(model.module)
    changes = {"steps": 40, "adapters": AdapterSpec(where=BOTH, downsample=2), "lr": 1e-2, "validation": 0.2}
    recipe = tiny_fit.RECIPE.model_copy(update=changes)
    made = tiny_fit.run(tmp_path / "t", recipe, model)
    assert digest(model.module) == before
    assert not any(part._forward_hooks for part in model.module.modules())
    weights = load_file(made.folder / "language_model.safetensors")
    assert {name.split(".")[2] for name in weights} == set(BOTH)
    assert all(value.any() for value in weights.values())
    assert made.n_trained == sum(v.numel() for v in weights.values()) + 10 * 16 + 16
    plain = tiny_fit.run(tmp_path / "p", recipe.model_copy(update={"adapters": None}), model)
    last = [one.history["validation_loss"].iloc[-1] for one in (made, plain)]
    assert last[0] < last[1] - 0.05


def test_published_settings_are_those_of_the_released_configurations():
    study = ct.load_study("magma")
    first, second, theirs = (study.recipe(name) for name in ("magma-v1", "magma-v2", "magma-limber"))
    for recipe in (first, second):
        assert (recipe.steps, recipe.batch_size, recipe.lr, recipe.encoder_lr) == (150000, 256, 8e-4, 2e-6)
        assert (recipe.decay_steps, recipe.warmup_steps, recipe.min_lr, recipe.clip) == (300000, 100, 0.0, 1.0)
        assert (recipe.betas, recipe.weight_decay, recipe.dropout) == ((0.9, 0.95), 0.0, 0.1)
        assert recipe.projection.options == {"layer_norm": True}
    assert first.adapters == AdapterSpec(where=("mlp",), downsample=4)
    assert second.adapters == AdapterSpec(where=BOTH, downsample=8)
    assert len(second.data_sets) == 10
    assert theirs.adapters == AdapterSpec(where=("attention",), downsample=4)
    assert theirs.projection.options == {}
    limber = ct.load_study("limber").recipe("clip")
    for name in ("steps", "batch_size", "lr", "dropout", "warmup_steps", "decay_steps"):
        assert getattr(theirs, name) == getattr(study.recipe("limber"), name) == getattr(limber, name)
    tuned = {name: study.encoder_spec(name).train for name in study.encoders}
    assert [name for name, train in tuned.items() if train] == ["magma-v1", "magma-v2", "magma-limber"]
    assert study.encoder_spec("magma-v1").image_size == 384


def test_the_small_study_takes_the_linear_maps_that_come_with_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("CONCEPTTRANSFER_CACHE", str(tmp_path))
    study = ct.load_study("magma-microworld")
    for name in ("clip", "clip-random"):
        for seed in range(3):
            found = pipeline.fitted(study, name, seed)
            assert found is not None
            assert Path(found).is_relative_to(study.resolve(study.spec.transfers))
    assert study.encoder_spec("magma").train
    assert {name for name in study.encoders if study.encoder_spec(name).blind} == {"magma-blind"}
