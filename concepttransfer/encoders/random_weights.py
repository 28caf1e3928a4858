"""Random weights that depend on nothing but a seed and the parameters' names: the paper's random control.

Torch's own initialisation changes with torch's version, with the order in which a library builds its modules and with
whatever drew random numbers before. Here each parameter has a stream of its own, made from sha256(seed, name), and
its numbers are sums of integers: the same bytes on every machine and with every version of every library.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

EMBEDDING_SCALE = 0.02
"""Standard deviation of embeddings, class tokens and positions, as BERT, ViT and BEiT draw them."""

_CHUNK = 1 << 15  # fits a processor's cache
_LOW_HALVES = np.uint64(0x0000FFFF0000FFFF)
_MEAN, _DEVIATION = 2 * 65535, math.sqrt((65536**2 - 1) / 3)
_EMBEDDINGS = ("embed", "token", "pos", "relative")


@torch.no_grad()
def draw(module: nn.Module, seed: int) -> None:
    """Draw all weights of a network anew, in place, by the kind of each parameter:

    - weights of linear and convolutional layers (and other matrices): mean 0, variance 1 / fan-in. ReLUs then damp a
      plain network a little (half a layer's variance) where He's 2 / fan-in would double the variance in each residual
      block: CLIP RN50x16 has 40 of them, and its batch norms, at their defaults, damp nothing;
    - normalisation layers: weight 1, bias 0, running mean 0 and variance 1;
    - biases: 0;
    - embeddings, class tokens, positions, relative position tables: standard deviation 0.02;
    - gains that the library's constructor makes constant and not 0 (layer scale, NF-ResNet's gains, CLIP's
      temperature): as constructed. Where it makes them 0 (skip-init), residual branches would be dead: 1.

    Args:
        module: the network; a pretrained one would keep its gains, so build it without weights.
        seed: another seed, other weights.
    """
    for prefix, owner in module.named_modules():
        if isinstance(owner, nn.modules.batchnorm._NormBase):
            owner.reset_running_stats()
        for leaf, parameter in owner.named_parameters(recurse=False):
            name = f"{prefix}.{leaf}" if prefix else leaf
            _draw_parameter(owner, leaf, parameter, f"{seed}:{name}")


def _draw_parameter(owner: nn.Module, leaf: str, parameter: Tensor, key: str) -> None:
    if _is_norm(owner) and parameter.ndim <= 1:
        parameter.fill_(0.0 if "bias" in leaf else 1.0)
    elif parameter.ndim <= 1 and "bias" in leaf:
        parameter.zero_()
    elif isinstance(owner, nn.Embedding) or any(word in leaf for word in _EMBEDDINGS):
        parameter.copy_(_normal(key, parameter.shape, EMBEDDING_SCALE))
    elif parameter.numel() == max(parameter.shape, default=1):
        parameter.fill_(_gain(parameter))
    else:
        parameter.copy_(_normal(key, parameter.shape, 1 / math.sqrt(_fan_in(owner, parameter))))


def _is_norm(owner: nn.Module) -> bool:
    return "norm" in type(owner).__name__.lower() or isinstance(owner, nn.modules.batchnorm._NormBase)


def _gain(parameter: Tensor) -> float:
    """The constant of a gain; 1 where it is 0 or was drawn by the library's constructor."""
    first = float(parameter.flatten()[0])
    return first if first != 0 and bool((parameter == first).all()) else 1.0


def _fan_in(owner: nn.Module, parameter: Tensor) -> int:
    """Inputs of one output: axes after the first, but the first axis of a bare matrix, which is applied as `x @ w`."""
    bare = parameter.ndim == 2 and not isinstance(owner, nn.Linear | nn.MultiheadAttention | nn.Bilinear)
    return parameter.shape[0] if bare else math.prod(parameter.shape[1:])


def _normal(key: str, shape: torch.Size, scale: float) -> Tensor:
    """Nearly normal numbers (mean 0, standard deviation `scale`), float32, from the stream of `key`.

    Each is the sum of four uniform 16-bit numbers: normal enough for weights (excess kurtosis -0.3, at most 3.5
    standard deviations) and, being of integers, exact, where logarithms and cosines differ in the last bit between
    processors.
    """
    n = shape.numel()
    stream = np.random.Philox(key=int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little"))
    out = np.empty(n, np.float32)
    for start in range(0, n, _CHUNK):
        part = out[start : start + _CHUNK]
        part[:] = _sum_of_four(stream.random_raw(len(part)))
        part -= _MEAN
        part *= np.float32(scale / _DEVIATION)
    return torch.from_numpy(out).reshape(shape)


def _sum_of_four(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The sum of the four 16-bit numbers in each 64 random bits, two at a time."""
    pairs = bits & _LOW_HALVES
    bits >>= np.uint64(16)
    bits &= _LOW_HALVES
    pairs += bits
    total = pairs >> np.uint64(32)
    pairs &= np.uint64(0xFFFFFFFF)
    pairs += total
    return pairs
