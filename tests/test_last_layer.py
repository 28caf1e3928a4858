"""The last layer's feed-forward works where something is read, and nothing that is read changes."""

from __future__ import annotations

import pytest
import tiny_language_models as tiny
import torch

from concepttransfer.language_models.last_layer import feed_forward_at
from concepttransfer.language_models.logits import logits_at

USUAL = ["gptj", "gpt2", "gpt_neox", "llama", "mistral", "qwen2", "gemma2", "cohere"]
KEEP = torch.tensor([[False, True, True, False, True], [False, False, False, False, True]])


def watched(module):
    """How many positions each layer's feed-forward has seen, as it goes."""
    seen: list[int] = []
    for part in module.modules():
        if hasattr(part, "mlp"):
            forward = part.mlp.forward
            part.mlp.forward = lambda *given, forward=forward: (
                seen.append(given[0].numel() // given[0].shape[-1]) or forward(*given)
            )
    return seen


@pytest.mark.parametrize("family", USUAL)
def test_only_the_last_layer_sees_less_and_what_is_kept_stays(family):
    module = tiny.module(family).eval()
    vectors = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    wanted = module(inputs_embeds=vectors).logits
    seen = watched(module)
    logits, _ = logits_at(module, KEEP, inputs_embeds=vectors)
    torch.testing.assert_close(logits, wanted[KEEP], atol=1e-5, rtol=1e-5)
    assert seen == [10, 4]
    seen.clear()
    torch.testing.assert_close(module(inputs_embeds=vectors).logits, wanted)
    assert seen == [10, 10]


def test_hidden_states_are_whole_when_they_are_asked_for():
    module = tiny.module("gptj").eval()
    vectors = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    wanted = module(inputs_embeds=vectors, output_hidden_states=True).hidden_states
    _, output = logits_at(module, KEEP, inputs_embeds=vectors, output_hidden_states=True)
    for mine, theirs in zip(output.hidden_states, wanted, strict=True):
        assert torch.equal(mine, theirs)


def test_feed_forwards_of_another_form_run_as_ever():
    """BLOOM's takes the residual too."""
    module = tiny.module("bloom").eval()
    vectors = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    seen = watched(module)
    with feed_forward_at(module, KEEP):
        module(inputs_embeds=vectors)
    assert seen == [10, 10]


def test_a_failure_inside_leaves_the_model_as_it_was():
    module = tiny.module("gptj").eval()
    with pytest.raises(RuntimeError, match="on purpose"), feed_forward_at(module, KEEP):
        raise RuntimeError("on purpose")
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
