"""Clutter: mushrooms, fronds, signs, bottles and patches of paper, behind the animal and over it.

None is one of `scene.OBJECTS`, so that "Is there a ball?" keeps its answer, and none hides more than a part of the
animal or of its object.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from concepttransfer.microworld.drawing.habitats import Landscape
from concepttransfer.microworld.drawing.layout import Placement
from concepttransfer.microworld.drawing.shapes import shade
from concepttransfer.microworld.scene import Scene
from concepttransfer.microworld.species import Colour

N_BEHIND, N_OVER = 14, 9
LARGEST_HIDDEN = 0.3
"""Share of the animal, and of its object's box, that clutter may hide."""

Pencil = ImageDraw.ImageDraw
_COLOURS: tuple[Colour, ...] = (
    (214, 90, 150), (250, 160, 60), (90, 190, 180), (150, 110, 70), (60, 90, 110), (200, 210, 90), (120, 60, 60),
    (230, 230, 220), (40, 40, 48), (110, 150, 60),
)  # fmt: skip


def scatter_behind(scene: Scene, land: Landscape) -> None:
    """Fill the habitat, before object and animal are drawn, with things of all kinds."""
    rng = random.Random(f"clutter behind {scene.animal} {scene.seed}")
    for _ in range(N_BEHIND):
        _piece(rng, land.width, 0.1, 0.26)(land.draw)


def scatter_over(scene: Scene, land: Landscape, mask: Image.Image, placement: Placement) -> None:
    """Lay smaller things over the finished drawing; one that would hide too much is left out.

    Args:
        scene: decides which things, and where.
        land: the picture with object and animal.
        mask: where the animal is to be seen, `L`, 0 or 255; what is hidden is taken out.
        placement: says where the object stands.
    """
    rng = random.Random(f"clutter over {scene.animal} {scene.seed}")
    kept = [np.asarray(mask) > 0]
    if placement.object is not None:
        box = placement.object
        stand = Image.new("L", mask.size, 0)
        left, top = box.x - box.width / 2, box.y - box.height
        ImageDraw.Draw(stand).rectangle([left, top, left + box.width, box.y], fill=255)
        kept.append(np.asarray(stand) > 0)
    hidden = np.zeros_like(kept[0])
    for _ in range(N_OVER):
        piece = _piece(rng, land.width, 0.08, 0.19)
        covers = hidden | _covered_by(piece, mask.size)
        if all(_share(covers, part) <= LARGEST_HIDDEN for part in kept):
            piece(land.draw)
            hidden = covers
    mask.paste(0, (0, 0), Image.fromarray(hidden.astype(np.uint8) * 255))


def _covered_by(piece: Callable[[Pencil], None], size: tuple[int, int]) -> NDArray[np.bool_]:
    layer, found = Image.new("RGB", size), np.zeros(size[::-1], dtype=np.bool_)
    piece(ImageDraw.Draw(layer))
    if box := layer.getbbox():
        left, top, right, bottom = box
        found[top:bottom, left:right] = np.asarray(layer.crop(box)).max(axis=-1) > 0
    return found


def _share(covers: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(covers & part)) / max(1, int(np.count_nonzero(part)))


def _piece(rng: random.Random, width: int, low: float, high: float) -> Callable[[Pencil], None]:
    """One thing in its place, `low` to `high` of the picture's width large: what draws it."""
    kind = _KINDS[int(rng.random() * len(_KINDS))]
    colour = _COLOURS[int(rng.random() * len(_COLOURS))]
    x, y, size = rng.uniform(0, width), rng.uniform(0, width), rng.uniform(low, high) * width
    turn = rng.uniform(-0.5, 0.5)
    return lambda draw: kind(draw, colour, x, y, size, turn)


def _mushroom(draw: Pencil, colour: Colour, x: float, y: float, size: float, turn: float) -> None:
    draw.rectangle([x - size * 0.1, y, x + size * 0.1, y + size * 0.5], fill=(236, 226, 206))
    draw.pieslice([x - size / 2, y - size * 0.4, x + size / 2, y + size * 0.5], 180, 360, fill=colour)
    for a, b in ((-0.25, -0.05), (0.05, -0.2), (0.25, -0.02)):
        left, top, dot = x + size * (a - 0.06), y + size * (b - 0.06), size * 0.12
        draw.ellipse([left, top, left + dot, top + dot], fill=shade(colour, 1.4))


def _frond(draw: Pencil, colour: Colour, x: float, y: float, size: float, turn: float) -> None:
    """A stalk with leaves on both sides."""
    tip = (x + size * math.sin(turn), y - size * math.cos(turn))
    draw.line([x, y, *tip], fill=shade(colour, 0.7), width=max(1, round(size * 0.06)))
    for step in range(1, 6):
        a, b = x + (tip[0] - x) * step / 6, y + (tip[1] - y) * step / 6
        leaf = size * (0.4 - 0.05 * step)
        for side in (-1, 1):
            draw.polygon([(a, b), (a + side * leaf, b - leaf * 0.7), (a + side * leaf * 0.5, b)], fill=colour)


def _sign(draw: Pencil, colour: Colour, x: float, y: float, size: float, turn: float) -> None:
    """A board on a post, with two lines of writing."""
    draw.rectangle([x - size * 0.05, y - size * 0.2, x + size * 0.05, y + size * 0.7], fill=(110, 86, 62))
    draw.rectangle([x - size / 2, y - size * 0.5, x + size / 2, y], fill=colour)
    for row in (-0.36, -0.18):
        draw.line([x - size * 0.38, y + size * row, x + size * 0.38, y + size * row], fill=shade(colour, 0.5), width=2)


def _bottle(draw: Pencil, colour: Colour, x: float, y: float, size: float, turn: float) -> None:
    draw.rectangle([x - size * 0.16, y - size * 0.4, x + size * 0.16, y + size * 0.4], fill=colour)
    neck = [(-0.16, -0.4), (-0.06, -0.6), (0.06, -0.6), (0.16, -0.4)]
    draw.polygon([(x + size * a, y + size * b) for a, b in neck], fill=shade(colour, 0.8))
    draw.rectangle([x - size * 0.14, y - size * 0.1, x + size * 0.14, y + size * 0.15], fill=(240, 240, 236))


def _paper(draw: Pencil, colour: Colour, x: float, y: float, size: float, turn: float) -> None:
    """A plain sheet, turned."""
    cos, sin = math.cos(turn) * size / 2, math.sin(turn) * size / 2
    corners = [(-1, -0.6), (1, -0.6), (1, 0.6), (-1, 0.6)]
    draw.polygon([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners], fill=colour)


_KINDS = (_mushroom, _frond, _sign, _bottle, _paper)
