"""What an image or text encoder is: something that turns pictures (or texts) into `[b, tokens, dim]`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from ..errors import BadInputError, ShapeError, UnknownNameError

Modality = Literal["image", "text"]
Readout = Callable[[Any, Tensor], Tensor]
"""Reads features off a network: `(network, batch) -> [b, tokens, dim]`."""

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass
class Built:
    """What a library's `build(spec, root)` gives back: a network and the ways of reading it.

    Attributes:
        module: the network, on the CPU in float32, with its weights (random ones are drawn over it later).
        readouts: by name (`pooled`, `patch_tokens`, `last_map`, `projected`, `layer:0`, ...), each
            `(module, batch) -> [b, tokens, dim]`. Only what this network has.
        transform: one PIL picture in RGB (or one text) to one input without its batch axis; must survive pickling
            where pictures are loaded by several processes.
        transform_id: names the transform and its settings; two of one name give equal inputs.
        space: names the network, such as `open_clip:RN50x16/openai`, as the beginning of its features' space.
        modality: what the network reads.
        unused: submodules or parameters (dotted names) that no readout of this modality needs, such as a CLIP's other
            tower; they are let go once the weights are in.
    """

    module: nn.Module
    readouts: Mapping[str, Readout]
    transform: Callable[[Any], Tensor]
    transform_id: str
    space: str
    modality: Modality = "image"
    unused: Sequence[str] = ()


class Encoder(Protocol):
    """A network that turns pictures or texts into features `[b, tokens, dim]`.

    Attributes:
        id: names everything that changes a value; features of another id are other features.
        modality: what `transform` takes: `image` (PIL, RGB) or `text` (str).
        space: two encoders of one space give comparable features (both towers of one CLIP, `projected`).
        weights_hash: names the weights: a sha256, `name@revision`, or `random` with its seed.
        transform_id: names the transform and its settings.
        module: the network; trainable only where the recipe trains it.
    """

    id: str
    modality: Modality
    space: str
    weights_hash: str
    transform_id: str
    module: nn.Module

    @property
    def dim(self) -> int:
        """Width of one token."""

    @property
    def tokens(self) -> int:
        """Tokens of one picture or text."""

    def transform(self, item: Any) -> Tensor:
        """One PIL picture in RGB (or one text) to one input of the network, without its batch axis."""

    def encode(self, batch: Tensor) -> Tensor:
        """Inputs `[b, ...]` to features `[b, tokens, dim]`, on the encoder's device and in its dtype."""

    def to(self, device: str | torch.device, dtype: str | torch.dtype | None = None) -> Self:
        """Move to a device, and to a dtype where one is given."""


class Frozen(nn.Module):
    """Holds a network that nothing trains: no gradient, and eval mode whatever a parent's `train()` asks for.

    A network left in train mode updates its batch statistics and drops paths although its weights stay: the
    released LiMBeR code did that.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, batch: Tensor) -> Any:
        """What the network itself gives."""
        return self.network(batch)


class ModuleEncoder:
    """An `Encoder` around a network that a library built."""

    def __init__(
        self,
        built: Built,
        *,
        features: str,
        id: str,
        space: str,
        weights_hash: str,
        grid: int | None = None,
        normalize: bool = False,
        blind: bool = False,
        trainable: bool = False,
    ) -> None:
        """Choose what to read.

        Raises:
            UnknownNameError: the network has no such `features`.
        """
        self.id, self.space, self.weights_hash = id, space, weights_hash
        self.modality, self.transform_id = built.modality, built.transform_id
        self.grid, self.trainable, self.normalize, self.blind = grid, trainable, normalize, blind
        self.module: nn.Module = built.module.eval() if trainable else Frozen(built.module)
        self._network = built.module
        self._readout = _readout(built, features)
        self._transform = built.transform
        self._dtype = torch.float32
        self._device = torch.device("cpu")

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self._dtype

    @cached_property
    def shape(self) -> tuple[int, int]:
        """`(tokens, dim)` of one picture or text; one blank input is run to find out."""
        with torch.no_grad():
            features = self.encode(self.transform(_blank(self.modality))[None])
        return features.shape[1], features.shape[2]

    @property
    def tokens(self) -> int:
        """Tokens of one picture or text."""
        return self.shape[0]

    @property
    def dim(self) -> int:
        """Width of one token."""
        return self.shape[1]

    @property
    def transform(self) -> Callable[[Any], Tensor]:
        """One PIL picture in RGB (or one text) to one input of the network, without its batch axis."""
        return self._transform

    def encode(self, batch: Tensor) -> Tensor:
        """Inputs `[b, ...]` to features `[b, tokens, dim]`; with gradient only where the encoder is trained.

        Raises:
            ShapeError: the network did not give `[b, tokens, dim]`, or its tokens form no square for `grid`.
        """
        batch = batch.to(self._device, self._dtype if batch.is_floating_point() else None)
        if self.blind:
            batch = torch.zeros_like(batch)
        with contextlib.nullcontext() if self.trainable else torch.no_grad():
            features = self._readout(self._network, batch)
            if features.ndim != 3:
                raise ShapeError(f"{self.id} gave features {list(features.shape)}; wanted are [b, tokens, dim].")
            features = features if self.grid is None else to_grid(features, self.grid)
            return nn.functional.normalize(features, dim=-1) if self.normalize else features

    def to(self, device: str | torch.device, dtype: str | torch.dtype | None = None) -> Self:
        """Move to a device, and to a dtype (`float32`, `bfloat16`, `float16`) where one is given."""
        self._device = torch.device(device)
        self._dtype = self._dtype if dtype is None else as_dtype(dtype)
        self.module.to(self._device, self._dtype)
        return self


def _readout(built: Built, features: str) -> Readout:
    """The readout of a name; `layer:-1` is the last layer there is."""
    n_layers = sum(name.startswith("layer:") for name in built.readouts)
    if features.startswith("layer:-"):
        features = f"layer:{n_layers + int(features.removeprefix('layer:'))}"
    if features not in built.readouts:
        known = [name for name in built.readouts if not name.startswith("layer:")]
        known += [f"layer:0 to layer:{n_layers - 1}"] if n_layers else []
        raise UnknownNameError("features", features, known, where=f"`{built.space}`")
    return built.readouts[features]


def as_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """The torch dtype of a name such as `float32`.

    Raises:
        UnknownNameError: no such dtype is supported.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    return DTYPES[dtype]


def from_map(feature_map: Tensor) -> Tensor:
    """A spatial map `[b, dim, h, w]` to tokens `[b, h*w, dim]`, row by row."""
    return feature_map.flatten(2).transpose(1, 2)


def spatial_tokens(features: Tensor, *, n_prefix: int = 0, channels_last: bool = False) -> Tensor:
    """What a network's trunk gives, as tokens `[b, positions, dim]` row by row, without class and register tokens.

    Args:
        features: a map `[b, dim, h, w]` (`[b, h, w, dim]` with `channels_last`), or tokens `[b, n_prefix + n, dim]`.
        n_prefix: how many class and register tokens come first.
        channels_last: the map's channels are its last axis.
    """
    if features.ndim == 4:
        return features.flatten(1, 2) if channels_last else from_map(features)
    return features[:, n_prefix:]


def to_grid(features: Tensor, grid: int) -> Tensor:
    """Average tokens `[b, n*n, dim]`, row by row, to a coarser grid `[b, grid*grid, dim]`.

    Cells are those of adaptive average pooling: equal where `grid` divides n, overlapping by a row where not.

    Raises:
        ShapeError: the tokens form no square, or a smaller one than `grid`.
    """
    n_tokens = features.shape[1]
    side = math.isqrt(n_tokens)
    if side * side != n_tokens or side < grid:
        fault = "form no square" if side * side != n_tokens else f"are a grid of only {side} x {side}"
        raise ShapeError(f"grid: {grid} cannot be made: the {n_tokens} tokens {fault}. Leave `grid` out or lower it.")
    square = features.transpose(1, 2).reshape(features.shape[0], -1, side, side)
    return from_map(nn.functional.adaptive_avg_pool2d(square, grid))


def _blank(modality: Modality) -> Any:
    if modality == "text":
        return "a"
    if modality != "image":
        raise BadInputError(f"An encoder reads `image` or `text`, not `{modality}`.")
    from PIL import Image

    return Image.new("RGB", (256, 256), (127, 127, 127))
