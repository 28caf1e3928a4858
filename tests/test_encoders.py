"""Encoders: what each library's readouts mean, frozen weights, random weights, identities."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import timm
import torch
import transformers
from PIL import Image
from torch import nn

from concepttransfer import encoders
from concepttransfer.encoders import fetch, load_encoder
from concepttransfer.encoders.base import to_grid
from concepttransfer.encoders.loading import state_digest
from concepttransfer.encoders.random_weights import _normal, draw
from concepttransfer.encoders.spec import EncoderSpec
from concepttransfer.encoders.weights import known_digest, remember_repository
from concepttransfer.errors import BadInputError, MissingResourceError, ShapeError, UnknownNameError

TESTS = Path(__file__).parent


def picture(seed: int = 0, size: int = 48) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    return coarse.resize((size, size), Image.Resampling.BICUBIC)


def load(model: str, root: Path = TESTS, *, state=None, trainable=None, **settings):
    spec = EncoderSpec(model=model, **{"init": "random", **settings})
    return load_encoder(spec, root, state=state, trainable=trainable)


def batch_of(encoder, *seeds: int) -> torch.Tensor:
    return torch.stack([encoder.transform(picture(seed)) for seed in seeds])


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_grid_is_the_mean_of_each_block_of_tokens():
    tokens = torch.randn(2, 36, 5)
    blocks = tokens.reshape(2, 3, 2, 3, 2, 5).mean((2, 4)).reshape(2, 9, 5)
    assert torch.allclose(to_grid(tokens, 3), blocks, atol=1e-6)
    assert torch.equal(to_grid(tokens, 6), tokens)


@pytest.mark.parametrize(("n_tokens", "grid", "fault"), [(12, 2, "no square"), (9, 4, "3 x 3")])
def test_tokens_that_make_no_such_grid_are_refused(n_tokens, grid, fault):
    with pytest.raises(ShapeError, match=fault):
        to_grid(torch.zeros(1, n_tokens, 2), grid)


# --- names --------------------------------------------------------------------------------------------------------


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean `timm`"):
        load("tim:resnet18")
    with pytest.raises(UnknownNameError, match="nf_resnet50"):
        load("timm:nf_resnet5O")
    with pytest.raises(UnknownNameError, match=r"layer:0 to layer:\d"):
        load("timm:test_resnet", features="projected")
    with pytest.raises(UnknownNameError, match="RN50x16"):
        load("open_clip:RN50x61/openai")
    with pytest.raises(UnknownNameError, match="Did you mean `openai`"):
        load("open_clip:RN50x16/opnai")
    with pytest.raises(BadInputError, match="names no weights"):
        load("open_clip:RN50x16", init="pretrained")


def test_every_library_has_a_build_function():
    import importlib

    for module in encoders.libraries().values():
        assert callable(importlib.import_module(module).build)


# --- timm ---------------------------------------------------------------------------------------------------------


def test_timm_reads_convolutional_networks():
    pooled, spatial = (load("timm:test_resnet", features=f) for f in ("pooled", "last_map"))
    batch = batch_of(pooled, 0, 1)
    network = spatial.module.network
    feature_map = network.forward_features(batch)
    assert torch.equal(spatial.encode(batch), feature_map.permute(0, 2, 3, 1).flatten(1, 2))
    assert torch.allclose(pooled.encode(batch)[:, 0], feature_map.mean((2, 3)), atol=1e-6)
    assert (spatial.tokens, spatial.dim) == tuple(spatial.encode(batch).shape[1:])


def test_timm_reads_transformers_without_their_prefix_tokens():
    encoder = load("timm:test_vit2", features="patch_tokens")
    network = encoder.module.network
    batch = batch_of(encoder, 0)
    tokens = network.forward_features(batch)
    n_patches = network.patch_embed.num_patches
    assert network.num_prefix_tokens >= 1
    assert torch.equal(encoder.encode(batch), tokens[:, -n_patches:])


def test_timm_layers_count_from_either_end():
    seen = {}
    encoder = load("timm:test_vit2", features="layer:-1")
    network = encoder.module.network
    network.blocks[-1].register_forward_hook(lambda module, inputs, output: seen.update(out=output))
    found = encoder.encode(batch_of(encoder, 0))
    assert torch.equal(found, seen["out"][:, network.num_prefix_tokens :])
    last = load("timm:test_vit2", features=f"layer:{len(network.blocks) - 1}")
    assert torch.equal(found, last.encode(batch_of(last, 0)))


def test_timm_maps_with_channels_last_are_read_row_by_row():
    small = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "img_size": 32}
    encoder = load("timm:swin_tiny_patch4_window7_224", features="last_map", arguments=small, image_size=32)
    batch = batch_of(encoder, 0)
    feature_map = encoder.module.network.forward_features(batch)
    assert feature_map.shape == (1, 4, 4, 16)
    assert torch.equal(encoder.encode(batch), feature_map.reshape(1, 16, 16))


def test_the_transform_is_the_librarys_own_with_overrides():
    own, changed = load("timm:test_resnet"), load("timm:test_resnet", image_size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    config = timm.get_pretrained_cfg("test_resnet")
    assert own.transform(picture()).shape == config.input_size
    white = changed.transform(Image.new("RGB", (50, 70), "white"))
    assert white.shape == (3, 32, 32)
    assert torch.equal(white, torch.ones(3, 32, 32))
    assert own.transform_id != changed.transform_id


def test_a_real_classifier_of_timm_names_photographs(real):
    spec = EncoderSpec(
        model="timm:mobilenetv2_100",
        arguments={"num_classes": 1001, "pad_type": "same"},
        weights="encoders/mobilenetv2_100.safetensors",
        image_size=160,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        features="pooled",
    )
    encoder = load_encoder(spec, real)
    index = json.loads((real / "pictures/imagenet_samples/index.json").read_text())[::25]
    inputs = [
        encoder.transform(Image.open(real / "pictures/imagenet_samples" / r["file"]).convert("RGB")) for r in index
    ]
    features = encoder.encode(torch.stack(inputs))
    assert features.shape == (20, 1, 1280)
    named = encoder.module.network.classifier(features[:, 0]).argmax(1) - 1
    assert sum(int(n) == r["class_index"] for n, r in zip(named, index, strict=True)) >= 13


# --- transformers -------------------------------------------------------------------------------------------------

BEIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "image_size": 32}
VIT = BEIT | {"patch_size": 8}


def save_vision(folder: Path, model, **processor) -> None:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}, **processor).save_pretrained(folder)


@pytest.mark.parametrize("mean_pooling", [True, False])
def test_beit_is_read_as_the_library_gives_it_without_class_token(tmp_path, mean_pooling):
    config = transformers.BeitConfig(**BEIT, patch_size=8, use_mean_pooling=mean_pooling)
    model = transformers.BeitModel(config).eval()
    save_vision(tmp_path / "beit", model)
    encoder = load("hf:beit", tmp_path, init="pretrained")
    batch = batch_of(encoder, 0, 1)
    expected = model(pixel_values=batch)
    assert torch.allclose(encoder.encode(batch), expected.last_hidden_state[:, 1:], atol=1e-6)
    has_final_norm = isinstance(encoder.module.network.layernorm, nn.LayerNorm)
    assert has_final_norm is not mean_pooling
    pooled = load("hf:beit", tmp_path, init="pretrained", features="pooled")
    assert torch.allclose(pooled.encode(batch)[:, 0], expected.pooler_output, atol=1e-6)


def test_a_checkpoint_without_the_layer_norm_that_is_read_is_refused(tmp_path):
    save_vision(tmp_path / "beit", transformers.BeitModel(transformers.BeitConfig(**BEIT, patch_size=8)))
    assert load("hf:beit", tmp_path, init="pretrained").tokens == 16
    with pytest.raises(BadInputError, match="lacks 2 weights of BeitModel, such as `layernorm"):
        load("hf:beit", tmp_path, init="pretrained", arguments={"use_mean_pooling": False})


def test_a_pretraining_checkpoint_has_no_pooler_to_read(tmp_path, capfd):
    config = transformers.BeitConfig(**BEIT, patch_size=8, use_mask_token=True, use_shared_relative_position_bias=True)
    save_vision(tmp_path / "beit", transformers.BeitForMaskedImageModeling(config))
    capfd.readouterr()
    assert load("hf:beit", tmp_path, init="pretrained").tokens == 16
    with pytest.raises(UnknownNameError, match="pooled"):
        load("hf:beit", tmp_path, init="pretrained", features="pooled")
    assert capfd.readouterr().err == "", "what the checkpoint lacks is said by us, where it matters"


@pytest.mark.parametrize(
    ("name", "config", "n_prefix"),
    [
        ("ViTModel", transformers.ViTConfig(**VIT), 1),
        ("DeiTModel", transformers.DeiTConfig(**VIT), 2),
        ("Dinov2WithRegistersModel", transformers.Dinov2WithRegistersConfig(**VIT, num_register_tokens=3), 4),
        ("SiglipVisionModel", transformers.SiglipVisionConfig(**VIT), 0),
    ],
)
def test_class_and_register_tokens_are_dropped(tmp_path, name, config, n_prefix):
    model = getattr(transformers, name)(config).eval()
    save_vision(tmp_path / "model", model)
    encoder = load("hf:model", tmp_path, init="pretrained")
    batch = batch_of(encoder, 0)
    hidden = model(pixel_values=batch).last_hidden_state
    assert hidden.shape[1] == 16 + n_prefix
    assert torch.allclose(encoder.encode(batch), hidden[:, n_prefix:], atol=1e-6)
    first = load("hf:model", tmp_path, init="pretrained", features="layer:1")
    expected = model(pixel_values=batch, output_hidden_states=True).hidden_states[1]
    assert torch.allclose(first.encode(batch), expected[:, n_prefix:], atol=1e-6)


def test_maps_and_hierarchical_tokens_have_no_prefix(tmp_path):
    convnext = transformers.ConvNextConfig(hidden_sizes=[4, 6, 8, 10], depths=[1, 1, 1, 1])
    swin = transformers.SwinConfig(image_size=32, embed_dim=6, depths=[1, 1], num_heads=[1, 2], window_size=4)
    save_vision(tmp_path / "convnext", transformers.ConvNextModel(convnext))
    save_vision(tmp_path / "swin", transformers.SwinModel(swin))
    found = load("hf:convnext", tmp_path, init="pretrained", features="last_map")
    batch = batch_of(found, 0)
    expected = found.module.network(pixel_values=batch).last_hidden_state
    assert torch.equal(found.encode(batch), expected.flatten(2).transpose(1, 2))
    assert load("hf:swin", tmp_path, init="pretrained").shape == (16, 12)


def test_positions_are_interpolated_for_another_image_size(tmp_path):
    save_vision(tmp_path / "vit", transformers.ViTModel(transformers.ViTConfig(**VIT)))
    assert load("hf:vit", tmp_path, init="pretrained", image_size=48).shape == (36, 16)


def test_pictures_go_through_the_pil_backend(tmp_path):
    save_vision(tmp_path / "vit", transformers.ViTModel(transformers.ViTConfig(**VIT)), image_mean=[0.5] * 3)
    encoder = load("hf:vit", tmp_path, init="pretrained", std=(0.25,) * 3)
    resized = np.asarray(picture().resize((32, 32), Image.Resampling.BILINEAR), dtype=np.float32)
    expected = torch.from_numpy((resized / 255 - 0.5) / 0.25).movedim(-1, 0)
    assert torch.allclose(encoder.transform(picture()), expected, atol=1e-6)
    assert '"backend": "pil"' in encoder.transform_id


@pytest.fixture
def hf_clip(tmp_path):
    vision = {**VIT, "projection_dim": 12}
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "vocab_size": 60,
        "max_position_embeddings": 8,
        "eos_token_id": 2,
        "bos_token_id": 1,
        "pad_token_id": 0,
    }
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=12)
    model = transformers.CLIPModel(config).eval()
    save_vision(tmp_path / "clip", model)
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {word: n for n, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", "a", "zebra", "walrus"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", bos_token="<s>", unk_token="<unk>"
    ).save_pretrained(tmp_path / "clip")
    return tmp_path, model


def test_clip_of_transformers_has_an_image_tower_and_a_shared_space(hf_clip):
    root, model = hf_clip
    tokens = load("hf:clip", root, init="pretrained")
    batch = batch_of(tokens, 0)
    expected = model.vision_model(pixel_values=batch)
    assert torch.allclose(tokens.encode(batch), expected.last_hidden_state[:, 1:], atol=1e-6)
    image = load("hf:clip", root, init="pretrained", features="projected")
    text = load("hf:clip", root, init="pretrained", features="projected", modality="text")
    assert torch.allclose(image.encode(batch)[:, 0], model.visual_projection(expected.pooler_output), atol=1e-6)
    ids = torch.tensor([[1, 4, 5, 2, 0, 0, 0, 0]])
    pooled = model.text_model(input_ids=ids, attention_mask=(ids > 0).long()).pooler_output
    found = text.encode(text.transform("a zebra")[None])[:, 0]
    assert torch.allclose(found, model.text_projection(pooled), atol=1e-6)
    assert image.space == text.space != tokens.space
    assert image.id != text.id


def test_models_without_a_shared_space_have_no_projected_features(tmp_path):
    save_vision(tmp_path / "vit", transformers.ViTModel(transformers.ViTConfig(**VIT)))
    with pytest.raises(BadInputError, match="no shared space"):
        load("hf:vit", tmp_path, init="pretrained", features="projected")


# --- open_clip ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open_clip")
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    resnet = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "patch_size": None}
    vit = {"image_size": 32, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8}
    for name, vision in {"tiny-resnet": resnet, "tiny-vit": vit}.items():
        config = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")


@pytest.mark.usefixtures("tiny_clips")
def test_the_last_map_of_a_clip_resnet_is_what_attention_pooling_sees():
    encoder = load("open_clip:tiny-resnet", features="last_map")
    visual = encoder.module.network.visual
    seen = {}
    visual.attnpool.register_forward_hook(lambda module, inputs, output: seen.update(map=inputs[0]))
    batch = batch_of(encoder, 0)
    visual(batch)
    assert seen["map"].shape == (1, 256, 2, 2)
    assert torch.equal(encoder.encode(batch), seen["map"].flatten(2).transpose(1, 2))
    assert torch.equal(load("open_clip:tiny-resnet", features="layer:4").encode(batch), encoder.encode(batch))


@pytest.mark.usefixtures("tiny_clips")
def test_patch_tokens_of_a_clip_transformer_come_before_the_projection():
    encoder = load("open_clip:tiny-vit", features="patch_tokens")
    visual = encoder.module.network.visual
    seen = {}
    visual.ln_post.register_forward_hook(lambda module, inputs, output: seen.update(tokens=output))
    batch = batch_of(encoder, 0)
    tokens = encoder.encode(batch)
    assert torch.equal(tokens, seen["tokens"][:, 1:])
    pooled = load("open_clip:tiny-vit", features="pooled").encode(batch)
    assert torch.equal(pooled[:, 0], seen["tokens"][:, 0])
    projected = load("open_clip:tiny-vit", features="projected").encode(batch)
    assert torch.allclose(projected, pooled @ visual.proj, atol=1e-6)


@pytest.mark.usefixtures("tiny_clips")
@pytest.mark.parametrize("name", ["tiny-resnet", "tiny-vit"])
def test_both_towers_of_a_clip_share_their_space_and_hold_only_themselves(name):
    whole = open_clip.create_model(name).eval()
    draw(whole, 0)
    image = load(f"open_clip:{name}", features="projected")
    text = load(f"open_clip:{name}", features="projected", modality="text")
    batch = batch_of(image, 0)
    assert torch.allclose(image.encode(batch)[:, 0], whole.encode_image(batch), atol=1e-6)
    ids = text.transform("a zebra")
    assert torch.equal(ids, open_clip.get_tokenizer(name)(["a zebra"])[0])
    assert torch.allclose(text.encode(ids[None])[:, 0], whole.encode_text(ids[None]), atol=1e-6)
    assert image.space == text.space
    held = [name.split(".")[0] for tower in (image, text) for name, _ in tower.module.network.named_parameters()]
    assert set(held) == {name.split(".")[0] for name, _ in whole.named_parameters()} - {"unused"}
    assert {name.split(".")[0] for name, _ in image.module.network.named_parameters()} == {"visual"}


def test_weights_trained_with_quick_gelu_run_with_it(monkeypatch):
    asked = {}

    def create(architecture, **options):
        asked.update(options)
        raise TypeError("seen")

    monkeypatch.setattr(open_clip, "create_model", create)
    for weights, expected in {"openai": True, "laion2b_s34b_b79k": False}.items():
        with pytest.raises(BadInputError, match="seen"):
            load(f"open_clip:ViT-B-32/{weights}", features="projected")
        assert asked["force_quick_gelu"] is expected
        assert asked["pretrained"] is None


# --- the microworld -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings"),
    [("beit", {"grid": 3}), ("nfrn50", {"features": "last_map"}), ("clip", {"features": "last_map"})],
)
def test_random_twins_of_the_microworld_give_nine_tokens(name, settings):
    encoder = load(f"microworld:{name}", **settings)
    assert encoder.tokens == 9
    assert encoder.weights_hash == "random:0"


# --- plug-ins -----------------------------------------------------------------------------------------------------


def test_a_plugin_gives_a_built_or_a_module():
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    encoder = load("plugin:plugin_encoders:colours", features="last_map")
    assert torch.equal(encoder.encode(encoder.transform(red)[None]), torch.tensor([[[1.0, 0, 0]] * 4]))
    network = load("plugin:plugin_encoders:cifar_resnet", features="pooled", arguments={"depth": 8}, image_size=32)
    assert network.shape == (1, 64)


def test_a_plugin_beside_the_study_is_found(tmp_path):
    (tmp_path / "beside_the_study.py").write_text("from plugin_encoders import colours as mine\n")
    assert load("plugin:beside_the_study:mine", tmp_path, features="last_map").shape == (4, 3)
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"model": "plugin:plugin_encoders"}, "names no function"),
        ({"model": "plugin:no_such_module:f"}, "cannot be imported"),
        ({"model": "plugin:plugin_encoders:nothing"}, "returned int"),
        ({"model": "plugin:plugin_encoders:colours", "image_size": 8}, "own transform"),
        ({"model": "plugin:plugin_encoders:cifar_resnet", "arguments": {"width": 2}}, "cannot be called"),
        ({"model": "plugin:plugin_encoders:colours", "modality": "text", "features": "projected"}, "reads images"),
    ],
)
def test_plugins_that_cannot_be_used_say_why(settings, fault):
    with pytest.raises(BadInputError, match=fault):
        load(**settings)


def test_a_real_network_of_no_library_knows_its_classes(real):
    """CIFAR-10's cats, dogs, frogs, cars, birds and trucks, photographed for ImageNet and shrunk; chance is 10 %."""
    import zipfile

    spec = EncoderSpec(
        model="plugin:plugin_encoders:cifar_resnet",
        weights="encoders/cifar10_resnet20.safetensors",
        image_size=32,
        features="pooled",
    )
    encoder = load_encoder(spec, real)
    labels = {"n02123045": 3, "n02099712": 5, "n01641577": 6, "n04285008": 1, "n01855672": 2, "n04146614": 9}
    right = total = 0
    with zipfile.ZipFile(real / "pictures/tiny_imagenet.zip") as archive:
        for wnid, label in labels.items():
            names = [
                n for n in archive.namelist() if f"/{wnid}/" in f"/{n}" and "val" in n and n.endswith((".jpg", ".JPEG"))
            ]
            inputs = [encoder.transform(Image.open(archive.open(name)).convert("RGB")) for name in names]
            if not inputs:
                continue
            said = encoder.module.network.linear(encoder.encode(torch.stack(inputs))[:, 0]).argmax(1)
            right, total = right + int((said == label).sum()), total + len(names)
    assert total >= 30
    assert right / total > 0.4


# --- frozen and tuned ---------------------------------------------------------------------------------------------


def test_frozen_means_frozen_whatever_a_parent_asks():
    encoder = load("timm:test_resnet", features="pooled", arguments={"drop_path_rate": 0.5, "drop_rate": 0.5})
    before = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    parent = nn.ModuleDict({"encoder": encoder.module, "other": nn.Linear(2, 2)})
    parent.train()
    batch = batch_of(encoder, 0, 1)
    first, second = encoder.encode(batch), encoder.encode(batch)
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert not any(part.training for part in encoder.module.modules())
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters())
    assert all(torch.equal(before[name], value) for name, value in encoder.module.state_dict().items())
    assert parent.training


def test_a_tuned_encoder_gets_gradients_and_comes_back_as_it_was_left():
    encoder = load("timm:test_resnet", features="pooled", train=True)
    batch = batch_of(encoder, 0)
    encoder.encode(batch).square().sum().backward()
    first = next(iter(encoder.module.parameters()))
    assert float(first.grad.abs().sum()) > 0
    with torch.no_grad():
        for parameter in encoder.module.parameters():
            parameter.add_(0.01)
    tuned = load("timm:test_resnet", features="pooled", train=True, state=encoder.module.state_dict())
    assert torch.equal(tuned.encode(batch), encoder.encode(batch))
    assert not tuned.encode(batch).requires_grad
    assert tuned.id != encoder.id
    assert tuned.space != encoder.space
    with pytest.raises(BadInputError, match="lacks"):
        load("timm:test_resnet", features="pooled", state={})


def test_an_encoder_that_was_read_can_be_tuned_in_the_same_process(tmp_path):
    """The library keeps position indices in a cache of the process; the odd patch size makes new ones here."""
    config = transformers.BeitConfig(**BEIT, patch_size=4, use_relative_position_bias=True)
    save_vision(tmp_path / "beit", transformers.BeitModel(config))
    encoder = load("hf:beit", tmp_path, init="pretrained", train=True)
    assert encoder.shape == (64, 16)
    encoder.encode(batch_of(encoder, 0)).square().sum().backward()
    tables = [p for name, p in encoder.module.named_parameters() if "relative_position_bias_table" in name]
    assert all(float(table.grad.abs().sum()) > 0 for table in tables)
    assert tables


def test_dtype_and_device_are_kept():
    encoder = load("timm:test_resnet", features="pooled").to("cpu", "bfloat16")
    features = encoder.encode(batch_of(encoder, 0))
    assert features.dtype == torch.bfloat16
    with pytest.raises(UnknownNameError, match="float32"):
        encoder.to("cpu", "float23")


# --- weights ------------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    from safetensors.torch import save_file

    network = timm.create_model("test_resnet", num_classes=7)
    torch.manual_seed(3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    torch.save({"state_dict": network.state_dict()}, tmp_path / "weights.pt")
    return tmp_path, network.eval()


@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pt"])
def test_local_weights_are_loaded_strictly(saved, file):
    root, network = saved
    encoder = load("timm:test_resnet", root, init="pretrained", weights=file, arguments={"num_classes": 7})
    batch = batch_of(encoder, 0)
    assert torch.equal(encoder.encode(batch), network.forward_features(batch).flatten(2).transpose(1, 2))
    with pytest.raises(BadInputError, match=r"fc\.weight is"):
        load("timm:test_resnet", root, init="pretrained", weights=file, arguments={"num_classes": 8})
    with pytest.raises(BadInputError, match="does not fit"):
        load("timm:test_vit2", root, init="pretrained", weights=file)


def test_missing_and_poisoned_weights_are_refused(tmp_path):
    with pytest.raises(MissingResourceError, match=r"nowhere\.safetensors"):
        load("timm:test_resnet", tmp_path, init="pretrained", weights="nowhere.safetensors")
    torch.save({"conv": print}, tmp_path / "code.pt")
    with pytest.raises(BadInputError, match="cannot be read as weights"):
        load("timm:test_resnet", tmp_path, init="pretrained", weights="code.pt")


@pytest.mark.parametrize(
    "model", ["timm:nf_resnet50", "open_clip:RN50x16/openai", "hf:microsoft/beit-large-patch16-224-pt22k"]
)
def test_a_hub_that_cannot_be_reached_is_said_in_a_line(monkeypatch, tmp_path, caplog, model):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(MissingResourceError, match="could not be downloaded") as caught:
        load(model, init="pretrained", features="last_map")
    assert "\n" not in str(caught.value)
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "the library says it too"


def refuse(*arguments):
    raise ConnectionError("no connection in tests")


# --- random weights -----------------------------------------------------------------------------------------------


def test_random_weights_are_the_same_in_every_process_and_machine():
    encoder = load("plugin:plugin_encoders:cifar_resnet", seed=5)
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); import torch; torch.manual_seed(99)\n"
        "from plugin_encoders import cifar_resnet; from concepttransfer.encoders.random_weights import draw\n"
        "from concepttransfer.encoders.loading import state_digest\n"
        "network = cifar_resnet(); draw(network, 5); print(state_digest(network.state_dict()))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == state_digest(encoder.module.network.state_dict())
    first = _normal("0:conv1.weight", torch.Size([4]), 1.0)
    assert torch.equal(first, torch.tensor(GOLDEN)), first.tolist()


GOLDEN = [-1.7765836715698242, -1.0614149570465088, 1.3388930559158325, 0.7776732444763184]


def test_random_numbers_are_nearly_normal_and_independent_of_each_other():
    numbers = _normal("1:a", torch.Size([400, 500]), 0.5)
    assert abs(float(numbers.mean())) < 0.005
    assert abs(float(numbers.std()) - 0.5) < 0.003
    within = float((numbers.abs() < 0.5).float().mean())
    assert abs(within - 0.6827) < 0.02
    other = _normal("1:b", torch.Size([400, 500]), 0.5)
    assert abs(float(np.corrcoef(numbers.flatten(), other.flatten())[0, 1])) < 0.01


def test_another_seed_gives_other_weights_and_the_same_seed_the_same():
    a, b, c = (load("timm:test_resnet", features="pooled", seed=seed) for seed in (0, 1, 0))
    batch = batch_of(a, 0)
    assert not torch.allclose(a.encode(batch), b.encode(batch), rtol=0.1)
    assert torch.equal(a.encode(batch), c.encode(batch))


def test_drawing_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load("timm:test_resnet")
    assert torch.equal(torch.rand(3), expected)


def test_each_kind_of_parameter_is_drawn_as_documented():
    network = timm.create_model("nf_resnet26", num_classes=3)
    draw(network, 0)
    gains = [value for name, value in network.named_parameters() if "gain" in name]
    assert gains
    assert all(bool((gain == gain.flatten()[0]).all()) and float(gain.flatten()[0]) != 0 for gain in gains)
    classic = timm.create_model("resnet18", num_classes=50)
    for value in classic.state_dict().values():
        value.fill_(3)
    draw(classic, 0)
    state = classic.state_dict()
    assert bool((state["layer1.0.bn2.weight"] == 1).all())
    assert not state["layer1.0.bn2.bias"].any()
    assert not state["layer1.0.bn2.running_mean"].any()
    assert bool((state["layer1.0.bn2.running_var"] == 1).all())
    assert abs(float(state["layer2.0.conv2.weight"].std()) * (128 * 9) ** 0.5 - 1) < 0.02
    assert abs(float(state["fc.weight"].std()) * 512**0.5 - 1) < 0.02
    assert not state["fc.bias"].any()
    tokens = timm.create_model("test_vit2")
    draw(tokens, 0)
    assert abs(float(tokens.pos_embed.std()) - 0.02) < 0.002


@pytest.mark.parametrize("model", ["test_resnet", "test_vit2", "test_convnext", "test_efficientnet", "test_nfnet"])
def test_random_networks_tell_pictures_apart(model):
    encoder = load(f"timm:{model}", features="pooled")
    features = encoder.encode(batch_of(encoder, *range(6)))[:, 0]
    assert bool(torch.isfinite(features.to(torch.float16)).all())
    spread = features.std(0).mean() / features.abs().mean()
    assert float(spread) > 0.01


# --- identity -----------------------------------------------------------------------------------------------------

BASE = {"model": "timm:test_resnet", "features": "last_map", "init": "random"}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "timm:test_vit2"},
        {"features": "pooled"},
        {"grid": 2},
        {"seed": 1},
        {"init": "pretrained"},
        {"image_size": 32},
        {"mean": (0.5, 0.5, 0.5)},
        {"std": (0.5, 0.5, 0.5)},
        {"arguments": {"num_classes": 3}},
        {"revision": "abc"},
        {"weights": "weights.safetensors", "init": "pretrained"},
    ],
)
def test_the_identity_changes_with_everything_that_changes_a_value(saved, change):
    root, _ = saved
    assert EncoderSpec(**BASE).identity(root) != EncoderSpec(**{**BASE, **change}).identity(root)


def test_the_identity_does_not_change_with_what_comes_after_the_features(saved):
    root, _ = saved
    base = EncoderSpec(**BASE).identity(root)
    assert EncoderSpec(**BASE, prompt_tokens=4, train=True).identity(root) == base
    assert EncoderSpec(**BASE, weights="weights.safetensors").identity(root) == base, "a random twin has no weights"
    assert load("timm:test_resnet", root, features="last_map").id == base


def test_weights_are_known_by_content(saved, monkeypatch):
    root, _ = saved
    spec = EncoderSpec(model="timm:test_resnet", weights="weights.safetensors")
    before = spec.identity(root)
    (root / "moved").mkdir()
    (root / "moved/weights.safetensors").write_bytes((root / "weights.safetensors").read_bytes())
    assert spec.identity(root / "moved") == before
    data = bytearray((root / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (root / "weights.safetensors").write_bytes(data)
    assert spec.identity(root) != before
    monkeypatch.setattr("concepttransfer.encoders.weights.file_digest", lambda path: pytest.fail("hashed twice"))
    assert known_digest(root / "weights.safetensors") == known_digest(root / "weights.safetensors")


def test_a_hubs_model_is_known_by_its_files_once_they_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    spec = EncoderSpec(model="hf:org/net")
    before = spec.identity(tmp_path)
    place = tmp_path / "models--org--net"
    for folder in ("refs", "blobs", "snapshots/c0ffee"):
        (place / folder).mkdir(parents=True)
    (place / "refs/main").write_text("c0ffee")
    (place / "snapshots/c0ffee/config.json").write_text("{}")
    assert spec.identity(tmp_path) == before, "a configuration alone is no download"
    (place / "blobs" / ("ab" * 32)).write_text("weights")
    (place / "snapshots/c0ffee/model.safetensors").symlink_to(place / "blobs" / ("ab" * 32))
    after = spec.identity(tmp_path)
    assert after != before
    assert EncoderSpec(model="hf:org/net", revision="c0ffee").weights_id(tmp_path) == spec.weights_id(tmp_path)
    fetch(spec, tmp_path)
    remember_repository("timm", "test_resnet", "org/net")
    assert "sha256" in EncoderSpec(model="timm:test_resnet").weights_id(tmp_path)


def test_identities_and_names_need_no_torch(saved):
    root, _ = saved
    code = (
        "import sys; from pathlib import Path\n"
        "from concepttransfer.encoders import libraries, fetch; from concepttransfer.encoders.spec import EncoderSpec\n"
        f"s = EncoderSpec(model='timm:test_resnet', weights='weights.safetensors'); root = Path({str(root)!r})\n"
        "s.identity(root); s.space(root); fetch(s, root); EncoderSpec(model='hf:org/name').identity(root)\n"
        "print([m for m in ('torch', 'timm', 'transformers', 'open_clip') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Length and blindness -------------------------------------------------------------------------------------------------


def test_normalized_features_have_length_one_and_a_space_of_their_own():
    plain = EncoderSpec(model="microworld:clip", features="projected")
    unit = plain.model_copy(update={"normalize": True})
    a, b = (load_encoder(spec, Path()) for spec in (plain, unit))
    batch = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(b.encode(batch), torch.nn.functional.normalize(a.encode(batch), dim=-1))
    assert len({a.space, b.space}) == len({a.id, b.id}) == 2
    assert b.space == load_encoder(unit.model_copy(update={"modality": "text"}), Path()).space


def test_the_blind_see_every_picture_alike():
    spec = EncoderSpec(model="microworld:nfrn50", features="last_map")
    blind = load_encoder(spec.model_copy(update={"blind": True}), Path())
    batch = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    seen = blind.encode(batch)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen, load_encoder(spec, Path()).encode(torch.zeros_like(batch)))
    assert blind.id != spec.identity(Path())
