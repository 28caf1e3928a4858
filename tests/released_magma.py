"""MAGMA as it is published, in small: its modules around a tiny GPT-J, and the checkpoints that they are saved as."""

from __future__ import annotations

import copy

import tiny_language_models as tiny
import torch
from torch import nn

DIM = 6


class Adapter(nn.Module):
    """`adapter(x) + x`."""

    def __init__(self, d: int, ratio: int, layer_norm: bool) -> None:
        super().__init__()
        first = [nn.LayerNorm(d)] if layer_norm else []
        self.adapter = nn.Sequential(*first, nn.Linear(d, d // ratio), nn.ReLU(), nn.Linear(d // ratio, d))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.adapter(states) + states


class AttentionAdapter(Adapter):
    """After attention."""

    def __init__(self, attn_block: nn.Module, *shape: object) -> None:
        super().__init__(*shape)
        self.attn_block = attn_block

    def forward(self, *given, **named):
        made, *rest = self.attn_block(*given, **named)
        return (self.adapter(made) + made, *rest)


class ParallelAdapter(Adapter):
    """Beside a block of any kind."""

    def __init__(self, module: nn.Module, scaled: bool, *shape: object) -> None:
        super().__init__(*shape)
        self.module = module
        self.adapter_scale = nn.Parameter(torch.full((1,), 1.7)) if scaled else 1

    def forward(self, *given, **named):
        states = given[0] if given else named["hidden_states"]
        made = self.module(*given, **named)
        added = self.adapter(states) * self.adapter_scale
        return (made[0] + added, *made[1:]) if isinstance(made, tuple) else made + added


class Magma(nn.Module):
    """Encoder, projection, dropout (none here), layer norm; and the language model that reads the prompt."""

    def __init__(
        self, kind: str, places: tuple[str, ...], *, layer_norm: bool = False, prompt_norm: bool = True
    ) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.lm = copy.deepcopy(tiny.module("gptj")).eval()
        self.transformer = self.lm.transformer.h
        self.word_embedding = self.lm.transformer.wte
        self.image_prefix = nn.Module()
        self.image_prefix.enc = nn.Sequential(nn.Conv2d(3, DIM, 2, stride=2), nn.BatchNorm2d(DIM)).eval()
        self.image_prefix.proj = nn.Linear(DIM, 32)
        if prompt_norm:
            self.image_prefix.ln = nn.LayerNorm(32)
        for layer in self.transformer:
            for place in places:
                name = "mlp" if place == "mlp" else "attn"
                setattr(layer, name, self._around(getattr(layer, name), kind, place, layer_norm))
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if ("adapter" in name and "scale" not in name) or "image_prefix" in name:
                    parameter.copy_(torch.randn(parameter.shape) * 0.3)

    @staticmethod
    def _around(block: nn.Module, kind: str, place: str, layer_norm: bool) -> nn.Module:
        shape = (32, 4, layer_norm)
        if kind != "sequential":
            return ParallelAdapter(block, kind == "scaled_parallel", *shape)
        return nn.Sequential(block, Adapter(*shape)) if place == "mlp" else AttentionAdapter(block, *shape)

    def prompt(self, features: torch.Tensor) -> torch.Tensor:
        """Soft prompts `[b, k, 32]` of features `[b, k, DIM]`."""
        made = self.image_prefix.proj(features)
        return self.image_prefix.ln(made) if hasattr(self.image_prefix, "ln") else made

    def logits(self, features: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Of every position of prompt and words."""
        return self.lm(inputs_embeds=torch.cat([self.prompt(features), self.word_embedding(ids)], 1)).logits


def as_gpt_neo(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors by the names of GPT-Neo's classes, which the first release patched into a GPT-J."""
    renamed = {}
    for name, value in state.items():
        for old in ("q_proj", "k_proj", "v_proj", "out_proj"):
            name = name.replace(f".{old}.", f".attention.{old}.")
        renamed[name.replace(".fc_in.", ".c_fc.").replace(".fc_out.", ".c_proj.")] = value
    buffers = {
        f"lm.transformer.h.{n}.attn.attention.{b}": torch.ones(1) for n in range(2) for b in ("bias", "masked_bias")
    }
    return renamed | buffers
