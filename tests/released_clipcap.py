"""ClipCap's released files, by the keys and shapes that were published, and their arithmetic written out plainly.

Nothing here uses our own projections: the arithmetic follows the paper (Mokady et al. 2021, section 3) and the
description of the released code, on the tensors of a state dict.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import layer_norm, linear

Shapes = dict[str, tuple[int, ...]]


def mlp_shapes(dim: int, k: int = 10, d: int = 768) -> Shapes:
    """Keys and shapes of the released MLP."""
    return {
        "clip_project.model.0.weight": (d * k // 2, dim),
        "clip_project.model.0.bias": (d * k // 2,),
        "clip_project.model.2.weight": (d * k, d * k // 2),
        "clip_project.model.2.bias": (d * k,),
    }


def transformer_shapes(
    dim: int, k: int = 40, clip_tokens: int = 40, layers: int = 8, d: int = 768, ratio: int = 2
) -> Shapes:
    """Keys and shapes of the released transformer."""
    shapes: Shapes = {
        "prefix_const": (k, d),
        "linear.weight": (clip_tokens * d, dim),
        "linear.bias": (clip_tokens * d,),
    }
    for i in range(layers):
        at = f"transformer.layers.{i}"
        for norm in ("norm1", "norm2"):
            shapes |= {f"{at}.{norm}.weight": (d,), f"{at}.{norm}.bias": (d,)}
        shapes |= {
            f"{at}.attn.to_queries.weight": (d, d),
            f"{at}.attn.to_keys_values.weight": (2 * d, d),
            f"{at}.attn.project.weight": (d, d),
            f"{at}.attn.project.bias": (d,),
            f"{at}.mlp.fc1.weight": (ratio * d, d),
            f"{at}.mlp.fc1.bias": (ratio * d,),
            f"{at}.mlp.fc2.weight": (d, ratio * d),
            f"{at}.mlp.fc2.bias": (d,),
        }
    return {f"clip_project.{key}": shape for key, shape in shapes.items()}


def gpt2_shapes(d: int = 768, layers: int = 12, words: int = 50257, positions: int = 1024) -> Shapes:
    """Keys and shapes of GPT-2 in a released file, the buffers of old transformers among them."""
    shapes: Shapes = {
        "transformer.wte.weight": (words, d),
        "transformer.wpe.weight": (positions, d),
    }
    for i in range(layers):
        at = f"transformer.h.{i}"
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{at}.{norm}.weight": (d,), f"{at}.{norm}.bias": (d,)}
        shapes |= {f"{at}.attn.bias": (1, 1, positions, positions), f"{at}.attn.masked_bias": ()}
        for name, (rows, columns) in {
            "attn.c_attn": (d, 3 * d),
            "attn.c_proj": (d, d),
            "mlp.c_fc": (d, 4 * d),
            "mlp.c_proj": (4 * d, d),
        }.items():
            shapes |= {f"{at}.{name}.weight": (rows, columns), f"{at}.{name}.bias": (columns,)}
    shapes |= {"transformer.ln_f.weight": (d,), "transformer.ln_f.bias": (d,), "lm_head.weight": (words, d)}
    return {f"gpt.{key}": shape for key, shape in shapes.items()}


def on_meta(*shapes: Shapes) -> dict[str, torch.Tensor]:
    """Tensors of these shapes that hold nothing, so that real widths take no memory."""
    return {key: torch.empty(shape, device="meta") for each in shapes for key, shape in each.items()}


def drawn(shapes: Shapes, seed: int = 0, size: float = 0.3) -> dict[str, torch.Tensor]:
    """Random tensors of these shapes."""
    generator = torch.Generator().manual_seed(seed)
    return {key: torch.randn(shape, generator=generator) * size for key, shape in shapes.items()}


def mapped(state: dict[str, torch.Tensor], features: torch.Tensor, heads: int = 8) -> torch.Tensor:
    """Prefixes `[b, k, d]` of features `[b, dim]`, k and d given by the state's own shapes (an MLP's: `[b, k * d]`)."""
    own = {key.removeprefix("clip_project."): value for key, value in state.items()}
    if "prefix_const" not in own:
        hidden = torch.tanh(features @ own["model.0.weight"].T + own["model.0.bias"])
        return hidden @ own["model.2.weight"].T + own["model.2.bias"]
    k, d = own["prefix_const"].shape
    read = (features @ own["linear.weight"].T + own["linear.bias"]).reshape(len(features), -1, d)
    x = torch.cat([read, own["prefix_const"].expand(len(features), k, d)], dim=1)
    layers = len({key.split(".")[2] for key in own if key.startswith("transformer.layers.")})
    for i in range(layers):
        part = {key.removeprefix(f"transformer.layers.{i}."): value for key, value in own.items()}
        x = x + _attention(part, layer_norm(x, (d,), part["norm1.weight"], part["norm1.bias"]), heads)
        inner = layer_norm(x, (d,), part["norm2.weight"], part["norm2.bias"])
        hidden = torch.relu(linear(inner, part["mlp.fc1.weight"], part["mlp.fc1.bias"]))
        x = x + linear(hidden, part["mlp.fc2.weight"], part["mlp.fc2.bias"])
    return x[:, read.shape[1] :]


def _attention(part: dict[str, torch.Tensor], x: torch.Tensor, heads: int) -> torch.Tensor:
    b, n, d = x.shape
    queries = (x @ part["attn.to_queries.weight"].T).reshape(b, n, heads, d // heads)
    both = (x @ part["attn.to_keys_values.weight"].T).reshape(b, n, 2, heads, d // heads)
    keys, values = both[:, :, 0], both[:, :, 1]
    scores = torch.einsum("bnhd,bmhd->bnmh", queries, keys) / math.sqrt(d // heads)
    out = torch.einsum("bnmh,bmhd->bnhd", scores.softmax(dim=2), values).reshape(b, n, d)
    return out @ part["attn.project.weight"].T + part["attn.project.bias"]
