"""ClipCap's transformer: learned constants read a pooled feature by attention (Mokady et al. 2021, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import BadInputError
from .pooled import EmptyLinear, FromOneFeature


class Attention(nn.Module):
    """Self-attention `[b, n, width] -> [b, n, width]`; queries, keys and values have no bias, the output has one."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = EmptyLinear(width, width, bias=False)
        self.to_keys_values = EmptyLinear(width, 2 * width, bias=False)
        self.project = EmptyLinear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Each vector reads all vectors."""
        b, n, width = x.shape
        shape = b, n, self.heads, width // self.heads
        queries = self.to_queries(x)
        keys, values = self.to_keys_values(x).chunk(2, dim=-1)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in (queries, keys, values))
        read = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.project(read.transpose(1, 2).reshape(b, n, width))
        return out


class FeedForward(nn.Module):
    """`[b, n, width] -> [b, n, width]` through a hidden layer with ReLU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = EmptyLinear(width, hidden), EmptyLinear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Each vector by itself."""
        out: Tensor = self.fc2(nn.functional.relu(self.fc1(x)))
        return out


class Layer(nn.Module):
    """Attention, then feed-forward, each normalised before and added after."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), FeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """`[b, n, width]` with what the layer adds."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Layers(nn.Module):
    """Layers one after the other, with no normalisation behind the last."""

    def __init__(self, width: int, heads: int, hidden: int, n: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads, hidden) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        """`[b, n, width]` after the last layer."""
        for layer in self.layers:
            x = layer(x)
        return x


class TransformerMapper(FromOneFeature):
    """A feature becomes `clip_tokens` vectors; k constants follow them; what stands in the constants' place is read.

    It saves `linear`, `prefix_const [k, d_model]` and `transformer.layers.{i}...`: the keys and shapes that the
    released files hold below `clip_project.`. No position is marked: the constants differ by what was learnt.
    """

    kind: ClassVar[str] = "transformer"

    def __init__(
        self,
        dim: int,
        d_model: int,
        prompt_tokens: int | None = None,
        dropout: float = 0.0,
        *,
        layers: int = 8,
        heads: int = 8,
        clip_tokens: int = 10,
        mlp_ratio: float = 2,
    ) -> None:
        """Zeros, until `start` or `load_state_dict` fills them.

        Args:
            dim, d_model, prompt_tokens, dropout: see `Projection`; k is `prompt_tokens`.
            layers: of the transformer.
            heads: of each layer's attention.
            clip_tokens: vectors that the feature becomes.
            mlp_ratio: hidden width of a layer's feed-forward part, in `d_model`.

        Raises:
            BadInputError: `prompt_tokens` is not said, or `heads` do not divide `d_model`.
        """
        super().__init__(dim, d_model, prompt_tokens, dropout)
        _check(d_model, layers, heads, clip_tokens, mlp_ratio)
        self.n_layers, self.heads, self.clip_tokens, self.mlp_ratio = layers, heads, clip_tokens, mlp_ratio
        self.linear = EmptyLinear(dim, clip_tokens * d_model)
        self.prefix_const = nn.Parameter(torch.zeros(self.soft_prompts, d_model))
        self.transformer = Layers(d_model, heads, round(d_model * mlp_ratio), layers)

    def options(self) -> dict[str, Any]:
        """What besides its shape makes it again."""
        return {
            "layers": self.n_layers,
            "heads": self.heads,
            "clip_tokens": self.clip_tokens,
            "mlp_ratio": self.mlp_ratio,
        }

    @property
    def first(self) -> EmptyLinear:
        """The layer that reads the feature."""
        return self.linear

    def start(self, deviation: float, scale: float, seed: int) -> None:
        """Constants and the feature's vectors as large as words; layers that add a little to them.

        Within the layers, weights have the deviation of torch's default, `1 / sqrt(3 inputs)`; those that add to the
        vectors are smaller by `deviation / sqrt(2 layers)`, so that soft prompts leave as large as the constants came
        in. The released code starts from constants of deviation 1, several times as large as GPT-2's words.
        """
        generator = torch.Generator().manual_seed(seed)
        adds = deviation / math.sqrt(2 * self.n_layers)
        self.linear.draw(deviation / (scale * math.sqrt(self.dim)), generator)
        with torch.no_grad():
            self.prefix_const.copy_(torch.randn(self.prefix_const.shape, generator=generator) * deviation)
        for name, layer in self.transformer.named_modules():
            if isinstance(layer, EmptyLinear):
                size = adds if name.endswith(("attn.project", "mlp.fc2")) else 1.0
                layer.draw(size / math.sqrt(3 * layer.in_features), generator)
            elif isinstance(layer, nn.LayerNorm):
                layer.reset_parameters()

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Soft prompts `[b, k, d_model]` of features `[b, 1, dim]`.

        Args:
            features: of b pictures.
            draws: an integer for each picture, from which its dropout mask is drawn in training; None: no dropout.

        Raises:
            ShapeError: features of another width, or several tokens where one pooled feature is wanted.
        """
        read = self.linear(self.pooled(features)).reshape(len(features), self.clip_tokens, self.d_model)
        constants = self.prefix_const.to(read.dtype).expand(len(features), -1, -1)
        prompt = self.transformer(torch.cat([read, constants], dim=1))[:, self.clip_tokens :]
        return self.drop(prompt, draws)


def _check(d_model: int, layers: int, heads: int, clip_tokens: int, mlp_ratio: float) -> None:
    for name, value in (("layers", layers), ("heads", heads), ("clip_tokens", clip_tokens)):
        if value < 1:
            raise BadInputError(f"A projection of kind `transformer` takes {name} of 1 or more; {value} was given.")
    if d_model % heads:
        fits = ", ".join(str(n) for n in range(1, 33) if d_model % n == 0)
        raise BadInputError(
            f"The language model is {d_model} wide, which {heads} heads cannot share evenly. "
            f"Say a number of heads that divides it (projection: {{kind: transformer, heads: N}}): {fits}."
        )
    if round(d_model * mlp_ratio) < 1:
        raise BadInputError(f"mlp_ratio {mlp_ratio} leaves no hidden layer. ClipCap's is 2.")
