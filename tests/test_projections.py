from __future__ import annotations

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from concepttransfer.errors import BadInputError, MismatchError, ShapeError, UnknownNameError
from concepttransfer.projections import Linear, build_projection
from concepttransfer.projections.importers import RELEASED_TRANSFORM, import_limber, read_limber, released_transform

# Transcribed from the released code and its weights' names: encoder -> (weight's shape, tokens, dim, k).
RELEASED = {
    "clip_linear": ((4096, 3072), 144, 3072, None),
    "beit_linear": ((4096, 1024), 196, 1024, None),
    "beit_ft_linear": ((4096, 1024), 196, 1024, None),
    "nfrn50_4096_linear": ((4096, 2048), 1, 2048, 1),
    "nfrn50_4096_random_linear": ((4096, 2048), 1, 2048, 1),
    "nfrn50, k=2": ((8192, 2048), 1, 2048, 2),
}
GPTJ = {"language_model_id": "gpt-j-6b@1", "d_model": 4096}


def named(tokens, dim, **more):
    return {"key": "k", "encoder": "clip", "space": "s", "encoder_identity": "e", "tokens": tokens, "dim": dim, **more}


def filled(*args, **kwargs):
    made = Linear(*args, **kwargs)
    made.start(1.0, 1.0, seed=3)
    torch.nn.init.normal_(made.bias, generator=torch.Generator().manual_seed(4))
    return made


def test_per_token_equals_torch_linear():
    made, reference = filled(6, 4), torch.nn.Linear(6, 4)
    reference.load_state_dict(made.state_dict())
    x = torch.randn(3, 5, 6)
    assert list(made.state_dict()) == ["weight", "bias"]
    torch.testing.assert_close(made(x), reference(x))


def test_k_prompts_of_a_pooled_feature_are_consecutive_rows_of_the_weight():
    made = filled(6, 4, prompt_tokens=3)
    x = torch.randn(2, 1, 6)
    prompts = made(x)
    assert made.weight.shape == (12, 6)
    assert prompts.shape == (2, 3, 4)
    for k in range(3):
        rows = slice(4 * k, 4 * k + 4)
        torch.testing.assert_close(prompts[:, k], x[:, 0] @ made.weight[rows].T + made.bias[rows])


@pytest.mark.parametrize("prompt_tokens", [None, 2])
def test_folded_standardisation_gives_the_same_prompts_from_plain_weights(prompt_tokens):
    made = filled(6, 4, prompt_tokens)
    made.standardize(torch.randn(6) * 5, torch.rand(6) * 3 + 0.1)
    x = torch.randn(7, 1, 6) * 4
    before = made(x)
    made.fold()
    plain = build_projection("linear", dim=6, d_model=4, prompt_tokens=prompt_tokens)
    plain.load_state_dict(made.state_dict())
    torch.testing.assert_close(plain(x), before, rtol=1e-4, atol=1e-4)


def test_first_prompts_are_as_large_as_words_whatever_the_features_scale():
    for scale in (0.01, 1.0, 300.0):
        made = Linear(512, 64)
        made.start(0.07, scale, seed=0)
        assert made(torch.randn(50, 4, 512) * scale).std().item() == pytest.approx(0.07, rel=0.05)


def test_dropout_masks_follow_the_draws_and_nothing_else():
    made = filled(6, 64, dropout=0.25).train()
    x = torch.randn(4, 200, 6)
    whole = made(x, [11, 12, 13, 14])
    torch.testing.assert_close(whole[2:], made(x[2:], [13, 14]))
    kept = whole != 0
    assert (~kept).float().mean().item() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(whole[kept], made(x)[kept] / 0.75)
    assert not torch.equal(kept[0], kept[1])
    torch.testing.assert_close(made.eval()(x, [11, 12, 13, 14]), made(x))


@pytest.mark.parametrize("prompt_tokens", [None, 3])
def test_a_layer_norm_stands_behind_dropout_and_is_saved(prompt_tokens):
    made = filled(6, 8, prompt_tokens, 0.5, layer_norm=True).train()
    plain = filled(6, 8, prompt_tokens, 0.5).train()
    torch.nn.init.normal_(made.norm.weight)
    torch.nn.init.normal_(made.norm.bias)
    x = torch.randn(4, 1 if prompt_tokens else 5, 6)
    dropped = plain(x, [1, 2, 3, 4])
    middle, spread = dropped.mean(-1, keepdim=True), dropped.var(-1, unbiased=False, keepdim=True)
    wanted = (dropped - middle) / (spread + 1e-5).sqrt() * made.norm.weight + made.norm.bias
    torch.testing.assert_close(made(x, [1, 2, 3, 4]), wanted, rtol=1e-4, atol=1e-5)
    assert list(made.state_dict()) == ["weight", "bias", "norm.weight", "norm.bias"]
    again = build_projection("linear", **made.shape(), **made.options()).eval()
    again.load_state_dict(made.state_dict())
    torch.testing.assert_close(again(x), made.eval()(x))
    assert plain.options() == {}


def test_first_prompts_behind_a_layer_norm_are_as_large_as_words():
    made = Linear(512, 64, layer_norm=True)
    made.start(0.07, 300.0, seed=0)
    assert made(torch.randn(50, 4, 512) * 300).std().item() == pytest.approx(0.07, rel=0.02)


def test_folding_leaves_the_layer_norm_alone():
    made = filled(6, 8, layer_norm=True)
    made.standardize(torch.randn(6) * 5, torch.rand(6) * 3 + 0.1)
    x = torch.randn(7, 2, 6) * 4
    before = made(x)
    made.fold()
    assert made.mean is None
    torch.testing.assert_close(made(x), before, rtol=1e-4, atol=1e-4)


def test_features_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"takes features \[pictures, 1, 6\]; these are \[2, 5, 6\]"):
        Linear(6, 4, prompt_tokens=2)(torch.randn(2, 5, 6))
    with pytest.raises(ShapeError, match=r"\[2, 5, 7\]"):
        Linear(6, 4)(torch.randn(2, 5, 7))


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean `linear`"):
        build_projection("liner", dim=2, d_model=2)


def proj_ckpt(path, shape, dtype=torch.float16, **how):
    generator = torch.Generator().manual_seed(0)
    weight = torch.empty(shape, dtype=dtype).random_(-8, 8, generator=generator) / 8
    state = OrderedDict(weight=weight, bias=torch.ones(shape[0], dtype=dtype))
    torch.save(state, path, **how)
    return state


@pytest.mark.parametrize("name", RELEASED)
def test_released_projections_are_read_by_their_shapes(tmp_path, name):
    shape, tokens, dim, k = RELEASED[name]
    state = proj_ckpt(tmp_path / "proj.ckpt", shape)
    who = named(tokens, dim, **GPTJ, changes={"image_size": 384})
    made = import_limber(tmp_path / "proj.ckpt", tmp_path / "t", **who, dtype="float16")
    assert made.meta["encoder_changes"] == {"image_size": 384}
    assert (made.prompt_tokens, made.soft_prompts, made.d_model) == (k, k or tokens, 4096)
    assert RELEASED_TRANSFORM in made.meta["imported"]["note"]
    x = torch.randn(1, 2 if tokens > 1 else 1, dim)
    expected = x[0] @ state["weight"].float().T + state["bias"].float()
    torch.testing.assert_close(made.projection()(x)[0], expected.reshape(-1, 4096), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("zipped", [True, False])
def test_any_dtype_and_either_file_format_is_read(tmp_path, dtype, zipped):
    state = proj_ckpt(tmp_path / "proj.ckpt", (8, 3), dtype, _use_new_zipfile_serialization=zipped)
    read = read_limber(tmp_path / "proj.ckpt")
    assert read["weight"].dtype == torch.float32
    torch.testing.assert_close(read["weight"], state["weight"].float(), rtol=0, atol=0)


class Payload:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("write", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(tmp_path, write):
    file, witness = tmp_path / "proj.ckpt", tmp_path / "ran"
    write(OrderedDict(weight=Payload(witness), bias=Payload(witness)), file)
    with pytest.raises(BadInputError, match="Nothing in it was run"):
        read_limber(file)
    assert not witness.exists()


def test_what_is_no_projection_is_refused_with_what_it_holds(tmp_path):
    torch.save({"proj.weight": torch.zeros(2, 2)}, tmp_path / "a")
    with pytest.raises(BadInputError, match=r"holds `weight` and `bias`; .* holds: proj.weight"):
        read_limber(tmp_path / "a")
    torch.save({"weight": torch.zeros(4, 2), "bias": torch.zeros(3)}, tmp_path / "b")
    with pytest.raises(BadInputError, match=r"\[\[4, 2\], \[3\]\]"):
        read_limber(tmp_path / "b")
    (tmp_path / "c").write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(BadInputError, match="damaged"):
        read_limber(tmp_path / "c")
    with pytest.raises(BadInputError, match="no file"):
        read_limber(tmp_path / "d")


def test_a_projection_of_another_width_is_refused_with_what_was_wanted(tmp_path):
    file = tmp_path / "proj.ckpt"
    proj_ckpt(file, (4096, 3072))
    with pytest.raises(MismatchError, match=r"gives features 1024 wide; .* takes features 3072 wide"):
        import_limber(file, tmp_path / "t", **named(196, 1024, **GPTJ))
    with pytest.raises(MismatchError, match=r"`gpt2` \(768 wide\) takes a weight of 768 rows; proj.ckpt has 4096"):
        import_limber(file, tmp_path / "t", **named(144, 3072, language_model_id="gpt2", d_model=768))
    proj_ckpt(file, (8192, 2048))
    with pytest.raises(MismatchError, match="takes a weight of 4096 rows"):
        import_limber(file, tmp_path / "t", **named(144, 2048, **GPTJ))
    assert not (tmp_path / "t").exists()


def test_the_released_transform_of_nfrn50_has_no_mean_and_deviation():
    assert released_transform("timm:nf_resnet50") == {"image_size": 384, "mean": (0.0,) * 3, "std": (1.0,) * 3}
    assert released_transform("open_clip:RN50x16/openai") == {"image_size": 384}
    assert released_transform("hf:microsoft/beit-large-patch16-224-pt22k") == {}
