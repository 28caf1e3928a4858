"""Shifts of the finished picture: dark and bluish, or pencil on paper."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concepttransfer.microworld.scene import Scene

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_MOON = np.array([0.5, 0.6, 0.9], dtype=np.float32)
"""What moonlight leaves of a grey: the eye sees it bluish."""
_COLOUR = 0.6
"""How much of a colour is seen by night."""
_TONE = 0.8
"""How dark a pencil shades what is black."""
_PLAIN_LIGHT = {"cast_red": 1.0, "cast_green": 1.0, "cast_blue": 1.0, "brightness": 1.0, "noise": 0.0}


def night(picture: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """A picture by moonlight: half as bright, bluish, colours pale, darker away from where the light falls.

    Args:
        picture: `[size, size, 3]` in RGB, by day.
        scene: decides where the light falls and the grain.
    """
    rng = random.Random(f"night {scene.animal} {scene.seed}")
    size = picture.shape[0]
    across, down = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    x, y = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)
    light = 0.62 + 0.5 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 0.18)
    seen = picture.astype(np.float32)
    moonlit = ((1 - _COLOUR) * (seen @ _GREY)[..., None] + _COLOUR * seen) * _MOON
    grain = np.random.Generator(np.random.PCG64(rng.getrandbits(64))).standard_normal(picture.shape, dtype=np.float32)
    return _bytes(moonlit * light[..., None].astype(np.float32) * rng.uniform(0.65, 0.9) + 3 * grain)


def sketch(picture: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """A pencil drawing of a picture: dark lines where a colour ends, shaded in between, no colour.

    Args:
        picture: `[size, size, 3]` in RGB, without noise.
        scene: decides the paper and how hard the pencil is pressed.
    """
    rng = random.Random(f"sketch {scene.animal} {scene.seed}")
    seen = picture.astype(np.float32)
    across, down = np.gradient(seen, axis=(1, 0))
    lines = np.clip((np.sqrt(across**2 + down**2).max(axis=-1) - 15) / 80, 0, 1) * rng.uniform(0.6, 0.8)
    drawn = rng.uniform(236, 252) * (1 - _TONE * (1 - seen @ _GREY / 255)) * (1 - lines)
    return _bytes(np.repeat(drawn[..., None], 3, axis=-1))


def in_plain_light(scene: Scene) -> Scene:
    """The same scene without colour cast and noise: what a draughtsman sees, and the eye before night falls."""
    return replace(scene, nuisance={**scene.nuisance, **_PLAIN_LIGHT})


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    finished: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return finished
