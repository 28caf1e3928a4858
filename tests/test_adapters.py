"""Adapters compute what MAGMA's do, learn alone, and leave no trace in the language model."""

from __future__ import annotations

import copy
import hashlib

import pytest
import tiny_language_models as tiny
import torch
from torch import nn

from concepttransfer.decoding import Decoding
from concepttransfer.errors import BadInputError
from concepttransfer.language_models.adapter_spec import AdapterSpec
from concepttransfer.language_models.adapters import DEVIATION, Adapters
from concepttransfer.language_models.logits import logits_at

BOTH = ("attention", "mlp")
KINDS = ["sequential", "parallel", "scaled_parallel"]
USUAL = ["gptj", "gpt2", "gpt_neox", "llama", "mistral", "qwen2", "gemma2", "cohere"]
KEEP = torch.tensor([[False, True, True, False, True], [False, False, False, False, True]])


def vectors(seed=0):
    return torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(seed))


def large(module, spec):
    """Adapters whose effect can be seen: every weight and bias is drawn, far larger than at the start."""
    adapters = Adapters(module, spec)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in adapters.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return adapters


def digest(module):
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in module.state_dict().values())).hexdigest()


class Published(nn.Module):
    """The adapter as MAGMA publishes it, residual connection inside: `adapter(x) + x`."""

    def __init__(self, own):
        super().__init__()
        self.adapter = nn.Sequential(own.down, nn.ReLU(), own.up)

    def forward(self, states):
        return self.adapter(states) + states


class PublishedAttention(nn.Module):
    """Attention with an adapter after it, the rest of its output untouched."""

    def __init__(self, attention, own):
        super().__init__()
        self.attention, self.after = attention, Published(own)

    def forward(self, *given, **named):
        made, *rest = self.attention(*given, **named)
        return (self.after(made), *rest)


def test_a_gptj_block_equals_magmas_sequential_of_feed_forward_and_adapter():
    module = tiny.module("gptj").eval()
    adapters = large(module, AdapterSpec(where=BOTH))
    published = copy.deepcopy(module)
    for layer, own in zip(published.transformer.h, adapters.layers, strict=True):
        layer.mlp = nn.Sequential(layer.mlp, Published(own["mlp"]))
        layer.attn = PublishedAttention(layer.attn, own["attention"])
    wanted = published(inputs_embeds=vectors()).logits
    with adapters.attached(module):
        found = module(inputs_embeds=vectors()).logits
    assert (wanted - module(inputs_embeds=vectors()).logits).abs().max() > 0.1
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_parallel_adapters_read_what_goes_into_the_block(kind):
    module = tiny.module("gptj").eval()
    adapters = large(module, AdapterSpec(where=BOTH, kind=kind, layer_norm=True))
    layer, own = module.transformer.h[0], adapters.layers[0]
    seen = {}
    layer.ln_1.register_forward_hook(lambda _, __, made: seen.update(given=made))
    layer.register_forward_hook(lambda _, given, made: seen.update(before=given[0], after=made[0]))
    plain = module(inputs_embeds=vectors())
    without, given = seen["after"], seen["given"]
    with adapters.attached(module):
        module(inputs_embeds=vectors())

    def added(adapter):
        normed = nn.functional.layer_norm(given, (32,), adapter.norm.weight, adapter.norm.bias)
        hidden = (normed @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
        made = hidden @ adapter.up.weight.T + adapter.up.bias
        return made * adapter.scale if kind == "scaled_parallel" else made

    wanted = without + added(own["attention"]) + added(own["mlp"])
    torch.testing.assert_close(seen["after"], wanted, atol=1e-5, rtol=1e-5)
    assert plain is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", USUAL)
def test_logits_are_the_same_when_the_last_feed_forward_works_only_where_it_is_read(family, kind):
    module = tiny.module(family).eval()
    adapters = large(module, AdapterSpec(where=BOTH, kind=kind))
    plain = module(inputs_embeds=vectors()).logits[KEEP]
    with adapters.attached(module):
        wanted = module(inputs_embeds=vectors()).logits[KEEP]
        logits, _ = logits_at(module, KEEP, inputs_embeds=vectors())
    assert (wanted - plain).abs().max() > 1e-2
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits_at(module, KEEP, inputs_embeds=vectors())[0], plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", USUAL)
def test_an_adapter_of_zeros_changes_nothing(family):
    module = tiny.module(family).eval()
    adapters = Adapters(module, AdapterSpec(where=BOTH))
    with torch.no_grad():
        for parameter in adapters.parameters():
            parameter.zero_()
    wanted = module(inputs_embeds=vectors()).logits
    with adapters.attached(module):
        assert torch.equal(module(inputs_embeds=vectors()).logits, wanted)


def test_first_weights_are_small_normal_cut_at_two_deviations_and_follow_from_the_seed():
    module = tiny.module("gptj", n_embd=256, n_head=4)
    state = torch.random.get_rng_state()
    first, again, other = (Adapters(module, AdapterSpec(where=BOTH, downsample=2), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    weights = torch.cat([p.flatten() for name, p in first.named_parameters() if name.endswith("weight")])
    assert float(weights.abs().max()) == pytest.approx(2 * DEVIATION)
    cut = 0.9594 * DEVIATION  # variance between two deviations 0.7385, and 4 times the 0.0455 that lie on the cut
    assert float(weights.std()) == pytest.approx(cut, rel=0.01)
    assert not any(p.any() for name, p in first.named_parameters() if name.endswith("bias"))
    same = zip(first.parameters(), again.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) and (not a.any() or not torch.equal(a, c)) for a, b, c in same)


@pytest.mark.parametrize("recomputed", [False, True])
def test_freezing_freezes_only_adapters_learn(recomputed):
    model = tiny.language_model("gptj")
    model.gradient_checkpointing = recomputed
    adapters = Adapters(model.module, AdapterSpec(where=BOTH))
    before, prompt = digest(model.module), tiny.soft_prompt(model, 3)
    optimizer = torch.optim.AdamW(adapters.parameters(), lr=1e-2)
    losses = []
    with adapters.attached(model.module):
        for _ in range(20):
            optimizer.zero_grad()
            found, _ = model.token_nll([[prompt], [prompt]], ["a red dog", "two black cats on the grass"])
            found.sum().backward()
            optimizer.step()
            losses.append(float(found.sum()))
    assert losses[-1] < 0.8 * losses[0]
    assert digest(model.module) == before
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert all(parameter.grad.any() for parameter in adapters.parameters())


def test_recomputing_layers_gives_the_same_gradient():
    model = tiny.language_model("gptj", n_layer=3)
    adapters = large(model.module, AdapterSpec(where=BOTH, kind="scaled_parallel"))
    prompt = tiny.soft_prompt(model, 3)
    grads = []
    with adapters.attached(model.module):
        for model.gradient_checkpointing in (False, True):
            adapters.zero_grad()
            model.token_nll([[prompt]], ["a red dog"])[0].sum().backward()
            grads.append([parameter.grad.clone() for parameter in adapters.parameters()])
    for kept, recomputed in zip(*grads, strict=True):
        assert kept.any()
        torch.testing.assert_close(recomputed, kept)


@pytest.mark.parametrize("family", ["gptj", "llama", "gpt2"])
def test_generating_with_a_cache_says_what_reading_it_whole_says(family):
    model = tiny.language_model(family)
    adapters = large(model.module, AdapterSpec(where=BOTH))
    inputs = [[tiny.soft_prompt(model, 3)], [tiny.soft_prompt(model, 2, seed=1), "A picture of"]]
    plain = model.generate(inputs, Decoding(max_tokens=8))
    with adapters.attached(model.module):
        said = model.generate(inputs, Decoding(max_tokens=8))
        nll, mask = model.ids_nll(inputs, [one.token_ids for one in said])
    assert [one.token_ids for one in said] != [one.token_ids for one in plain]
    for one, losses, real in zip(said, nll, mask, strict=True):
        torch.testing.assert_close(-losses[real], torch.tensor(one.logprobs), atol=1e-4, rtol=1e-4)
    assert [one.token_ids for one in model.generate(inputs, Decoding(max_tokens=8))] == [one.token_ids for one in plain]


def test_a_half_precision_model_has_adapters_in_float32_that_learn():
    module = tiny.module("gptj").eval().to(torch.bfloat16).requires_grad_(False)
    adapters = Adapters(module, AdapterSpec(where=BOTH))
    with adapters.attached(module):
        logits = module(inputs_embeds=vectors().bfloat16()).logits
        logits.float().square().sum().backward()
    assert logits.dtype == torch.bfloat16
    assert all(p.dtype == p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in adapters.parameters())


def test_a_failure_inside_leaves_the_model_as_it_was_and_saved_weights_fit_again():
    module = tiny.module("gptj").eval()
    adapters = large(module, AdapterSpec(where=BOTH, layer_norm=True))
    with pytest.raises(RuntimeError, match="on purpose"), adapters.attached(module):
        raise RuntimeError("on purpose")
    assert not any(part._forward_hooks for part in module.modules())
    again = Adapters(module, adapters.spec, seed=9)
    again.load_state_dict(adapters.state_dict())
    logits = []
    for one in (adapters, again):
        with one.attached(module):
            logits.append(module(inputs_embeds=vectors()).logits)
    assert torch.equal(*logits)
    with adapters.attached(module), pytest.raises(RuntimeError, match="already"), adapters.attached(module):
        pass


@pytest.mark.parametrize(
    ("family", "spec", "said"),
    [
        ("opt", {"where": ("mlp",)}, "OPTForCausalLM has no mlp block"),
        ("bloom", {"where": ("mlp",)}, "kind: parallel"),
        ("gptj", {"downsample": 64}, "this one is 32"),
    ],
)
def test_a_model_that_cannot_take_them_is_told(family, spec, said):
    with pytest.raises(BadInputError, match=said):
        Adapters(tiny.module(family), AdapterSpec(**spec))


def test_places_are_a_set_and_mistakes_are_told():
    assert AdapterSpec(where=("mlp", "attention", "mlp")) == AdapterSpec(where=BOTH)
    for wrong in ({"where": ()}, {"where": ("head",)}, {"downsample": 0}, {"kind": "normal"}, {"width": 3}):
        with pytest.raises(ValueError, match="validation error"):
            AdapterSpec(**wrong)


def test_adapters_of_another_depth_are_refused():
    adapters = Adapters(tiny.module("gptj"), AdapterSpec())
    with (
        pytest.raises(BadInputError, match="2 layers were given to a model of 3"),
        adapters.attached(tiny.module("gptj", n_layer=3)),
    ):
        pass
