"""Shifts of the finished picture: dark and bluish, or pencil on paper."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from concepttransfer.microworld.scene import Scene

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_MOON = np.array([0.34, 0.44, 0.78], dtype=np.float32)
"""What moonlight leaves of a grey: the eye sees it bluish."""
_PLAIN_LIGHT = {"cast_red": 1.0, "cast_green": 1.0, "cast_blue": 1.0, "brightness": 1.0, "noise": 0.0}
_RADIUS = 2


def night(picture: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """A picture by moonlight: a third as bright, bluish, colours mostly gone, darker away from where the light falls.

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
    moonlit = (0.8 * (seen @ _GREY)[..., None] + 0.2 * seen) * _MOON
    grain = np.random.Generator(np.random.PCG64(rng.getrandbits(64))).standard_normal(picture.shape, dtype=np.float32)
    return _bytes(moonlit * light[..., None].astype(np.float32) * rng.uniform(0.6, 0.85) + 3 * grain)


def sketch(picture: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """A pencil drawing of a picture: dark lines where grey changes, pale hatching where it is dark, else paper.

    Args:
        picture: `[size, size, 3]` in RGB, without noise.
        scene: decides the paper and how hard the pencil is pressed.
    """
    rng = random.Random(f"sketch {scene.animal} {scene.seed}")
    grey = picture.astype(np.float32) @ _GREY
    across, down = np.gradient(picture.astype(np.float32), axis=(1, 0))
    lines = np.clip((np.sqrt(across**2 + down**2).max(axis=-1) - 6) / 30, 0, 1)
    darkness = np.clip(1 - _blurred(grey[..., None], _RADIUS)[..., 0] / 120, 0, 1)
    rows, columns = np.indices(grey.shape)
    hatching = darkness * 0.5 * ((rows + columns) % 4 < 1)
    ink = np.clip(lines * rng.uniform(0.8, 1.0) + hatching, 0, 1)
    paper = rng.uniform(236, 252)
    return _bytes(np.repeat((paper - (paper - 40) * ink)[..., None], 3, axis=-1))


def in_plain_light(scene: Scene) -> Scene:
    """The same scene without colour cast and noise: what a draughtsman sees, and the eye before night falls."""
    return replace(scene, nuisance={**scene.nuisance, **_PLAIN_LIGHT})


def _blurred(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """The mean over squares of `2 * radius + 1` pixels, `[size, size, channels]`; edges are repeated."""
    width = 2 * radius + 1
    for axis in (0, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (radius, radius)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, padding, mode="edge"), width, axis=axis)
        values = windows.mean(axis=-1, dtype=np.float32)
    return values


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    finished: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return finished
