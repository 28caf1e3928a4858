"""The fused activation computes what transformers spells out, and only where it does."""

from __future__ import annotations

import copy

import pytest
import tiny_language_models as tiny
import torch
from transformers.activations import FastGELUActivation, NewGELUActivation

from concepttransfer.language_models.activations import fuse_activations


@pytest.mark.parametrize("spelt_out", [NewGELUActivation, FastGELUActivation])
def test_value_and_gradient_are_those_of_the_library(spelt_out):
    network = torch.nn.Sequential(spelt_out())
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(network(x).sum(), x)
    value = network(x)
    fuse_activations(network)
    assert isinstance(network[0], torch.nn.GELU)
    torch.testing.assert_close(network(x), value, rtol=1e-7, atol=1e-9)  # gelu_fast rounds the root of 2 / pi
    torch.testing.assert_close(torch.autograd.grad(network(x).sum(), x)[0], wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("family", ["gptj", "gpt2"])
def test_the_whole_model_says_the_same_and_keeps_less(family):
    module = tiny.module(family).eval()
    usual, kept = copy.deepcopy(module), []
    fuse_activations(module)
    vectors = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for each in (usual, module):
        wide: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, wide=wide: _note(t, wide), lambda t: t):
            logits = each(inputs_embeds=vectors).logits
        kept.append((logits, len(wide)))
    torch.testing.assert_close(kept[1][0], kept[0][0], rtol=1e-5, atol=1e-5)
    assert 0 < kept[1][1] <= kept[0][1] / 3


def _note(tensor: torch.Tensor, wide: list[torch.Tensor]) -> torch.Tensor:
    if tensor.shape == (2, 9, 128):  # the feed-forward's width
        wide.append(tensor)
    return tensor


@pytest.mark.parametrize("family", ["bloom", "opt", "llama", "gemma2"])
def test_other_families_stay_as_they_are(family):
    module = tiny.module(family)
    before = [type(part) for part in module.modules()]
    fuse_activations(module)
    assert [type(part) for part in module.modules()] == before
