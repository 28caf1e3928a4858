"""How a text's features are moved to where pictures are: shifts, a linear map, and noise (CLOSE, Gu et al. 2022).

A text and its picture are apart in CLIP's space (Liang et al. 2022). CLOSE trains on texts and is used on pictures;
what it does to the texts' features lets the projection bear that difference. Pictures' features never come here: they
are normalised and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import BadInputError, EmptyDataError, MismatchError, ShapeError
from .fitting import covariance_factor, directions, least_squares
from .spec import COVARIANCE_SCALE, SHIFTS, FeatureAdapterSpec

_OWN = 0x9E3779B97F4A7C15
"""Parts an adapter's draws from those that dropout makes from the same integers."""


class FeatureAdapter(nn.Module):
    """Features of texts `[b, tokens, dim]` to what a projection learns from: of the same shape, each of length 1.

    normalise, then shift, map linearly or draw from the covariance, then add noise, then normalise.

    Attributes:
        spec: what it does.
        dim: width of a token; None: it holds nothing that has a width, and takes any.
        space: of the features on which it was fitted; empty: not said.
        shift: [dim] what is added, after the linear map where there is one; None: nothing.
        weight: [dim, dim] the linear map; None: none.
        factor: [dim, dim] F, whose F F' is the covariance of what is drawn; None: nothing is drawn.
    """

    shift: Tensor | None
    weight: Tensor | None
    factor: Tensor | None

    def __init__(
        self,
        spec: FeatureAdapterSpec,
        dim: int | None = None,
        *,
        space: str = "",
        shift: Tensor | None = None,
        weight: Tensor | None = None,
        factor: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.dim, self.space = spec, dim, space
        for name, value in (("shift", shift), ("weight", weight), ("factor", factor)):
            self.register_buffer(name, None if value is None else value.detach().float())

    @classmethod
    def load(cls, spec: FeatureAdapterSpec, state: Mapping[str, Tensor], *, space: str = "") -> FeatureAdapter:
        """The adapter whose `state_dict()` was saved.

        Raises:
            BadInputError: the state is of another kind of adapter, or its parts are of several widths.
        """
        dim = state["shift"].shape[-1] if "shift" in state else None
        wanted = {name: [dim] if name == "shift" else [dim, dim] for name in _parts(spec)}
        found = {name: list(value.shape) for name, value in state.items()}
        if wanted != found:
            held = ", ".join(f"{name} {shape}" for name, shape in found.items()) or "nothing"
            parts = " and ".join(f"`{name}`" for name in wanted) or "nothing"
            raise BadInputError(
                f"A feature adapter `{spec.kind}` holds {parts} of one width, not {held}. Fit it again."
            )
        return cls(spec, dim, space=space, **state)

    def extra_repr(self) -> str:
        """What `print` shows: kind, width and noise."""
        return f"{self.spec.kind}, noise {self.spec.noise:g}" + (f", {self.dim} wide" if self.dim else "")

    @property
    def is_random(self) -> bool:
        """Whether it draws anything, so that training must say from what."""
        return self.spec.noise > 0 or self.factor is not None

    def check(self, space: str, dim: int) -> None:
        """See that it was fitted on features like these.

        Raises:
            MismatchError: on those of another space or width.
        """
        if self.dim is not None and (dim != self.dim or (self.space and space and space != self.space)):
            fitted = f"{self.space or 'features'} ({self.dim} wide)"
            raise MismatchError(
                f"This feature adapter (`{self.spec.kind}`) was fitted on {fitted}; these features are of "
                f"{space or 'another encoder'} ({dim} wide). Fit it on pictures and texts of the same encoder."
            )

    def forward(self, features: Tensor, draws: Sequence[int] | None = None) -> Tensor:
        """Features `[b, tokens, dim]` of texts, moved; each token has length 1.

        Args:
            features: of b texts.
            draws: an integer for each text, from which its noise is drawn, so that it depends neither on the batch nor
                on the process in which the text lands; None: nothing random is done.

        Raises:
            ShapeError: they are not `[b, tokens, dim]`, or there are not as many draws as texts.
            MismatchError: they are of another width.
        """
        if features.ndim != 3:
            raise ShapeError(
                f"A feature adapter takes features [texts, tokens, dim]; these are {list(features.shape)}."
            )
        self.check("", features.shape[2])
        x = directions(features.float())
        if self.weight is not None:
            x = nn.functional.linear(x, self.weight)
        if self.shift is not None:
            x = x + self.shift
        if draws is not None and self.is_random:
            x = x + self._noise(x, draws)
        return directions(x).to(features.dtype)

    def _noise(self, x: Tensor, draws: Sequence[int]) -> Tensor:
        """What is added to each text, drawn from its own integer: first from the covariance, then the plain noise."""
        if len(draws) != len(x):
            raise ShapeError(f"{len(x)} texts need as many draws; these are {len(draws)}.")
        generator = torch.Generator(device=x.device)
        noise = torch.zeros_like(x)
        for own, draw in zip(noise, draws, strict=True):
            generator.manual_seed((draw ^ _OWN) & 0x7FFF_FFFF_FFFF_FFFF)
            if self.factor is not None:
                own += nn.functional.linear(torch.empty_like(own).normal_(generator=generator), self.factor)
            if self.spec.noise:
                own += torch.empty_like(own).normal_(0, self.spec.noise, generator=generator)
        return noise


def fit_adapter(
    spec: FeatureAdapterSpec,
    pictures: Any = None,
    texts: Any = None,
    seed: int = 0,
    *,
    space: str = "",
    dim: int | None = None,
) -> FeatureAdapter:
    """Fit an adapter on pictures with their texts.

    Args:
        spec: which one.
        pictures: features [n, dim] (tensor or array) of pictures; a picture with several texts stands once for each.
        texts: features [n, dim] of their texts, in the same order. An adapter that is fitted on no pairs takes None.
        seed: of the fit; a random shift has another direction for each.
        space: of both, to be checked when the adapter is used; empty: not said.
        dim: width of a token, for a random shift; None: that of `texts`.

    Raises:
        ShapeError: pictures and texts are not the same number of rows of one width.
        EmptyDataError: fewer than two pairs.
        BadInputError: an adapter that needs pairs has none, or a feature is not finite.
    """
    if spec.kind == "random_shift":
        shift = _random_shift(spec, dim if dim is not None else _width(texts), seed)
        return FeatureAdapter(spec, len(shift), space=space, shift=shift)
    if not spec.needs_pairs:
        return FeatureAdapter(spec, space=space)
    if pictures is None or texts is None:
        raise BadInputError(f"The feature adapter `{spec.kind}` is fitted on pictures with their texts; none came.")
    seen, read = _pairs(pictures, texts)
    difference = seen - read
    mean = difference.mean(0)
    if spec.kind == "linear":
        weight, bias = least_squares(read, seen, spec.ridge)
        return FeatureAdapter(spec, len(mean), space=space, weight=weight, shift=bias)
    if spec.kind == "covariance":
        scale = COVARIANCE_SCALE if spec.scale is None else spec.scale
        factor = covariance_factor(difference) * scale
        return FeatureAdapter(spec, len(mean), space=space, shift=mean, factor=factor)
    shift = mean if spec.magnitude is None else mean / mean.norm().clamp_min(1e-12) * spec.magnitude
    return FeatureAdapter(spec, len(mean), space=space, shift=-shift if spec.kind == "negated_mean" else shift)


def _parts(spec: FeatureAdapterSpec) -> tuple[str, ...]:
    """The tensors that an adapter of this kind holds."""
    more = {"linear": ("weight",), "covariance": ("factor",)}.get(spec.kind, ())
    return ("shift", *more) if more or spec.kind in SHIFTS else ()


def _random_shift(spec: FeatureAdapterSpec, dim: int, seed: int) -> Tensor:
    """[dim] of the length asked for, in a direction that follows from both seeds."""
    drawn = np.random.default_rng([spec.seed, seed]).standard_normal(dim)
    return torch.from_numpy(drawn / np.linalg.norm(drawn) * cast(float, spec.magnitude))


def _width(texts: Any) -> int:
    if texts is None:
        raise BadInputError("A random shift is as wide as the features: give `dim`, or the texts' features.")
    return int(texts.shape[-1])


def _pairs(pictures: Any, texts: Any) -> tuple[Tensor, Tensor]:
    """Both as directions [n, dim] in float64."""
    seen, read = torch.as_tensor(pictures), torch.as_tensor(texts)
    if seen.ndim != 2 or seen.shape != read.shape:
        raise ShapeError(
            f"An adapter is fitted on pictures and texts [n, dim], row by row; these are {list(seen.shape)} and "
            f"{list(read.shape)}."
        )
    if len(seen) < 2:
        raise EmptyDataError(f"An adapter is fitted on pictures with their texts, at least two; there are {len(seen)}.")
    if not bool(torch.isfinite(seen).all() and torch.isfinite(read).all()):
        raise BadInputError("An adapter cannot be fitted: a feature is not finite. Encode these data again.")
    return directions(seen.double()), directions(read.double())
