"""The microworld's models: their shapes, their recipes, and the weights that are shipped."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from concepttransfer.encoders import load_encoder
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.errors import BadInputError, UnknownNameError
from concepttransfer.microworld import (
    WEIGHTS,
    build,
    networks,
    pretraining,
    train_beit,
    train_classifier,
    train_clip,
    train_loop,
)
from concepttransfer.microworld import train_language_model as language
from concepttransfer.microworld.scene import ANIMALS
from concepttransfer.storage import file_digest

ENCODERS = tuple(networks.FAMILIES)
SHIPPED = build.read_manifest()


@pytest.fixture
def tiny(monkeypatch):
    """Recipes that take a second each, on 100 pictures."""
    few = pretraining.pretraining_pictures(100, quiet=True)
    for module in (train_classifier, train_beit, train_clip):
        monkeypatch.setattr(module, "dev_pictures", lambda: few)
    recipes = {name: dict(recipe) for name, recipe in build.read_recipes().items() if isinstance(recipe, dict)}
    recipes["tokenizer"]["documents"] = 300
    recipes["language-model"] |= {"documents": 200, "validation": 20}
    recipes["beit"] |= {"codes": 8, "codebook_pictures": 40}
    for recipe in recipes.values():
        if "optimisation" in recipe:
            recipe["optimisation"] = {**recipe["optimisation"], "steps": 4, "batch_size": 8, "warmup_steps": 2}
    return {**recipes, "pictures": 100}


@pytest.mark.parametrize(
    ("model", "features", "grid", "shape"),
    [
        ("beit", "patch_tokens", None, (36, 160)),
        ("beit", "patch_tokens", 3, (9, 160)),
        ("beit-ft", "layer:3", None, (36, 160)),
        ("nfrn50", "last_map", None, (9, 256)),
        ("nfrn50-all-labels", "pooled", None, (1, 256)),
        ("clip", "last_map", None, (9, 384)),
        ("clip-judge", "projected", None, (1, 128)),
    ],
)
def test_random_encoders_have_the_shapes_that_studies_name(model, features, grid, shape):
    spec = EncoderSpec(model=f"microworld:{model}", features=features, grid=grid, init="random", seed=3)
    encoder = load_encoder(spec, Path())
    batch = encoder.transform(Image.new("RGB", (96, 96), (10, 200, 30)))[None]
    assert encoder.encode(batch).shape[1:] == shape
    assert torch.isfinite(encoder.encode(batch)).all()


@pytest.mark.parametrize("model", ["beit", "nfrn50", "clip"])
def test_seeds_decide_random_weights(model):
    spec = EncoderSpec(model=f"microworld:{model}", features="patch_tokens", init="random")
    picture = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    one, again, other = (load_encoder(spec.model_copy(update={"seed": s}), Path()).encode(picture) for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_the_map_keeps_the_places_of_a_picture():
    """What changes in one corner changes that corner's token most, in row-major order."""
    for model in ("nfrn50", "clip", "beit"):
        spec = EncoderSpec(model=f"microworld:{model}", features="patch_tokens", grid=3, init="random")
        encoder = load_encoder(spec, Path())
        plain = torch.zeros(1, 3, 96, 96)
        marked = plain.clone()
        marked[:, :, 68:92, 4:28] = 2.0
        moved = (encoder.encode(marked) - encoder.encode(plain))[0].norm(dim=-1)
        assert moved.argmax() == 6


def test_pictures_of_another_size_are_resized_and_scaled():
    tensor = networks.picture_tensor(Image.new("RGB", (200, 100), (255, 0, 0)))
    assert tensor.shape == (3, 96, 96)
    assert torch.allclose(tensor[:, 50, 50], torch.tensor([2.0, -2.0, -2.0]))


def test_mistakes_are_told():
    with pytest.raises(UnknownNameError, match="Did you mean `beit`"):
        networks.build(EncoderSpec(model="microworld:biet"), Path())
    with pytest.raises(BadInputError, match="no text tower"):
        networks.build(EncoderSpec(model="microworld:beit", modality="text"), Path())
    with pytest.raises(BadInputError, match="96 x 96"):
        networks.build(EncoderSpec(model="microworld:beit", image_size=64, init="random"), Path())
    with pytest.raises(UnknownNameError, match="Did you mean `clip`"):
        build.build_target("clp")


def test_text_is_cut_ended_and_padded(tiny, tmp_path):
    build.build_target("tokenizer", tmp_path, quiet=True, device="cpu", recipes=tiny)
    words = networks.tokenizer(tmp_path / "tokenizer")
    short, long = networks.text_tensor(words, "a zebra"), networks.text_tensor(words, "a red ball " * 40)
    assert short.shape == long.shape == (networks.CONTEXT,)
    assert (short == networks.END).sum() == 1
    assert long[-1] == networks.END
    assert words.decode(short[: short.tolist().index(networks.END)]) == " a zebra"
    assert words.eos_token_id == networks.END
    assert words.pad_token_id == networks.PAD
    assert pickle.loads(pickle.dumps(words))("a zebra")["input_ids"] == words("a zebra")["input_ids"]


@pytest.mark.parametrize("name", ["language-model", "nfrn50", "clip", "beit", "beit-ft"])
def test_a_killed_build_goes_on_to_the_same_bytes(name, tiny, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for needed in build.TARGETS[name].needs:
        for folder in (whole, broken):
            build.build_target(needed, folder, quiet=True, device="cpu", recipes=tiny)
    monkeypatch.setattr(train_loop, "SAVE_SECONDS", 0.0)
    made = build.build_target(name, whole, quiet=True, device="cpu", recipes=tiny)
    with monkeypatch.context() as patch:
        _stop_before(patch, step=2)
        with pytest.raises(KeyboardInterrupt):
            build.build_target(name, broken, quiet=True, device="cpu", recipes=tiny)
    steps = _count_steps(monkeypatch)
    again = build.build_target(name, broken, quiet=True, device="cpu", recipes=tiny)
    assert steps == [2, 3]
    assert again["files"] == made["files"]
    assert (whole / "curves" / f"{name}.csv").read_bytes() == (broken / "curves" / f"{name}.csv").read_bytes()


def test_what_is_made_is_not_made_again(tiny, tmp_path, monkeypatch):
    first = build.build_target("nfrn50", tmp_path, quiet=True, device="cpu", recipes=tiny)
    steps = _count_steps(monkeypatch)
    assert build.build_target("nfrn50", tmp_path, quiet=True, device="cpu", recipes=tiny) == first
    assert steps == []
    changed = {**tiny, "nfrn50": {**tiny["nfrn50"], "label_smoothing": 0.2}}
    assert build.build_target("nfrn50", tmp_path, quiet=True, device="cpu", recipes=changed) != first
    assert steps == [0, 1, 2, 3]


def test_weights_that_were_made_load(tiny, tmp_path, monkeypatch):
    build.build_target("nfrn50", tmp_path, quiet=True, device="cpu", recipes=tiny)
    module = networks.architecture("nfrn50")
    before = module.stem.conv.weight.clone()
    networks.load_weights(module, tmp_path / "nfrn50.safetensors")
    assert not torch.equal(before, module.stem.conv.weight)
    assert module.stem.conv.weight.dtype == torch.float32


def _stop_before(patch, step):
    real = train_loop._step

    def stopping(task, optimiser, how, now, device):
        if now == step:
            raise KeyboardInterrupt
        return real(task, optimiser, how, now, device)

    patch.setattr(train_loop, "_step", stopping)


def _count_steps(monkeypatch):
    taken, real = [], train_loop._step

    def counting(task, optimiser, how, step, device):
        taken.append(step)
        return real(task, optimiser, how, step, device)

    monkeypatch.setattr(train_loop, "_step", counting)
    return taken


def test_each_epoch_holds_every_example_once():
    seen = np.concatenate([train_loop.batch_indices(step, 7, 35, seed=4) for step in range(10)])
    assert sorted(seen[:35]) == sorted(seen[35:]) == list(range(35))
    assert list(seen[:35]) != list(seen[35:])


def test_the_learning_rate_rises_and_falls():
    how = train_loop.Optimisation(steps=100, batch_size=1, lr=1.0, warmup_steps=10)
    rates = [how.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] > 0.97
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_masks_are_blocks_and_large_enough():
    masks = train_beit.block_masks(200, 0.4, np.random.default_rng(0)).reshape(200, 6, 6)
    assert masks.float().mean((1, 2)).min() >= 0.4
    assert masks.float().mean() < 0.65
    neighbours = (masks[:, 1:] & masks[:, :-1]).sum() / masks[:, 1:].sum()
    assert neighbours > 0.5


def test_visual_tokens_are_the_nearest_codes_in_reading_order():
    pictures = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    found = train_beit.patches(pictures)
    assert found.shape == (2, 36, 192)
    assert train_beit.nearest(found[0], found[0]).tolist() == list(range(36))
    brighter = train_beit.patches(pictures * 1.0 + 0.7)
    assert torch.allclose(found, brighter, atol=1e-4)
    changed = pictures.clone()
    changed[:, :, 16:32, 80:96] += 5
    assert (train_beit.patches(changed) - found).abs().sum(-1)[0].argmax() == 1 * 6 + 5


def test_loss_of_the_language_model_is_its_librarys():
    module = networks.gpt_j().eval()
    texts = [np.array([5, 6, 7, 0], dtype=np.int16), np.array([8, 9, 0], dtype=np.int16)]
    ids, mask = language.padded(texts, torch.device("cpu"))
    labels = ids.masked_fill(mask == 0, -100)
    theirs = module(input_ids=ids, attention_mask=mask, labels=labels).loss
    assert language.next_token_loss(module, ids, mask)[0].item() == pytest.approx(theirs.item(), abs=1e-5)


def test_labels_of_imagenet_are_35_of_the_50():
    kept = train_classifier.labels_of({"labels": "imagenet-1k"})
    assert len(kept) == 35
    assert set(ANIMALS) - set(kept) == train_classifier.NOT_IN_IMAGENET_1K
    assert train_classifier.labels_of({"labels": "all"}) == ANIMALS


@pytest.mark.skipif(not SHIPPED, reason="no weights are shipped in this checkout")
def test_shipped_files_are_those_of_the_manifest():
    assert set(SHIPPED) >= {"tokenizer", "language-model", *ENCODERS}
    for name, entry in SHIPPED.items():
        for file, sha in entry["files"].items():
            assert file_digest(WEIGHTS / file) == sha, (name, file)
    recorded = {file for entry in SHIPPED.values() for file in entry["files"]}
    models = {str(path.relative_to(WEIGHTS)) for path in WEIGHTS.rglob("*.safetensors")}
    assert {file for file in models if not file.startswith("transfers/")} <= recorded
    assert sum((WEIGHTS / file).stat().st_size for file in models) <= 20e6


@pytest.mark.skipif(not SHIPPED, reason="no weights are shipped in this checkout")
def test_shipped_weights_were_made_by_the_recipes_as_they_stand():
    recipes = build.read_recipes()
    for name in build.TARGETS:
        assert SHIPPED[name]["recipe_id"] == build.identity(name, recipes), name


@pytest.mark.skipif(not SHIPPED, reason="no weights are shipped in this checkout")
@pytest.mark.parametrize("name", ENCODERS)
def test_shipped_encoders_load(name):
    encoder = load_encoder(EncoderSpec(model=f"microworld:{name}", features="patch_tokens", grid=3), Path())
    assert encoder.encode(torch.zeros(1, 3, 96, 96)).shape[1] == 9


@pytest.mark.skipif(not SHIPPED, reason="no weights are shipped in this checkout")
def test_shipped_clip_knows_what_dev_shows():
    """Pictures of dev are nearest to their own animal's name far more often than chance (1 in 50)."""
    pictures = pretraining._pictures("dev", 100, True)
    image, text = (
        load_encoder(EncoderSpec(model="microworld:clip", features="projected", modality=modality), Path())
        for modality in ("image", "text")
    )
    assert image.space == text.space
    names = text.encode(torch.stack([text.transform(f"a {name}") for name in ANIMALS]))[:, 0]
    seen = image.encode(networks.normalise(pictures.take(range(100))))[:, 0]
    said = (torch.nn.functional.normalize(seen) @ torch.nn.functional.normalize(names).T).argmax(1)
    assert np.mean([ANIMALS[i] == animal for i, animal in zip(said, pictures.animals, strict=True)]) > 0.3
