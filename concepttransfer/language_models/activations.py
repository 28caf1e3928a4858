"""GPT-2's and GPT-J's activation in one kernel."""

from __future__ import annotations

from torch import nn


def fuse_activations(module: nn.Module) -> None:
    """Let a model compute the tanh form of GELU in one kernel wherever transformers spells it out, in place.

    Spelt out (`gelu_new`, `gelu_fast`) it is eight operations on the widest tensors of a model, most of which are kept
    for the backward pass: in GPT-2 a tenth of the time of a training step and half of its memory. The formula is the
    same (Hendrycks and Gimpel 2016, section 2); float32 results differ in their last bits, and bfloat16 ones are nearer
    to the truth, because only the result is rounded.
    """
    from transformers.activations import FastGELUActivation, NewGELUActivation

    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, NewGELUActivation | FastGELUActivation):
                setattr(parent, name, nn.GELU(approximate="tanh"))
