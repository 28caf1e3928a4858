"""What stands beside an animal, and what lies about on the ground."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from types import MappingProxyType

from PIL import ImageDraw

from concepttransfer.microworld.drawing.habitats import Landscape
from concepttransfer.microworld.drawing.shapes import shade
from concepttransfer.microworld.species import Colour

COLOURS = MappingProxyType(
    {
        "red": (208, 44, 42), "blue": (44, 84, 200), "yellow": (242, 208, 52), "green": (48, 156, 68),
        "purple": (134, 66, 168), "white": (246, 246, 246),
    }
)  # fmt: skip
"""The colours of `scene.COLOURS_OF_OBJECTS`."""

Pencil = ImageDraw.ImageDraw
_LEAF, _BARK, _STONE = (62, 128, 60), (98, 72, 48), (128, 126, 128)


def object_size(name: str) -> tuple[float, float]:
    """Usual width and height of an object, as shares of the picture's width."""
    return _SIZES[name]


def draw_object(draw: Pencil, name: str, colour: str | None, x: float, y: float, width: float, height: float) -> None:
    """Draw an object whose foot's middle is at (x, y) pixels; `colour` as in `Scene.object_colour`."""
    natural: dict[str, Colour] = {"tree": _LEAF, "bush": _LEAF, "rock": _STONE}
    _DRAWINGS[name](draw, COLOURS[colour] if colour else natural[name], x, y, width, height)


def _ball(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    draw.ellipse([x - w / 2, y - h, x + w / 2, y], fill=shade(colour, 0.8))
    draw.ellipse([x - w * 0.48, y - h, x + w * 0.42, y - h * 0.1], fill=colour)
    draw.ellipse([x - w * 0.28, y - h * 0.86, x - w * 0.06, y - h * 0.64], fill=shade(colour, 1.5))


def _box(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    """Seen from a little above and from the side."""
    left, right, lid = x - w / 2, x + w * 0.3, y - h * 0.78
    draw.rectangle([left, lid, right, y], fill=colour)
    draw.polygon([(left, lid), (left + w * 0.2, y - h), (x + w / 2, y - h), (right, lid)], fill=shade(colour, 1.2))
    draw.polygon([(right, lid), (x + w / 2, y - h), (x + w / 2, y - h * 0.2), (right, y)], fill=shade(colour, 0.7))


def _bucket(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    draw.arc(
        [x - w * 0.42, y - h * 1.1, x + w * 0.42, y - h * 0.4], 180, 360, fill=(90, 90, 94), width=max(1, int(w * 0.07))
    )
    draw.polygon(
        [(x - w / 2, y - h * 0.75), (x + w / 2, y - h * 0.75), (x + w * 0.33, y), (x - w * 0.33, y)], fill=colour
    )
    draw.ellipse([x - w / 2, y - h * 0.86, x + w / 2, y - h * 0.64], fill=shade(colour, 0.6))


def _umbrella(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    """Open, standing in the ground."""
    draw.rectangle([x - w * 0.025, y - h * 0.9, x + w * 0.025, y], fill=(84, 70, 60))
    draw.pieslice([x - w / 2, y - h, x + w / 2, y - h * 0.16], 180, 360, fill=colour)
    draw.pieslice([x - w * 0.18, y - h, x + w * 0.18, y - h * 0.16], 180, 360, fill=shade(colour, 0.75))
    draw.rectangle([x - w * 0.015, y - h * 1.05, x + w * 0.015, y - h * 0.95], fill=(84, 70, 60))


def _flower(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    draw.line([x, y, x, y - h * 0.7], fill=(50, 130, 50), width=max(2, int(w * 0.1)))
    draw.ellipse([x, y - h * 0.4, x + w * 0.35, y - h * 0.24], fill=(50, 130, 50))
    head, petal = y - h * 0.72, w * 0.24
    for step in range(6):
        a, b = x + w * 0.27 * math.cos(step * math.pi / 3), head + w * 0.27 * math.sin(step * math.pi / 3)
        draw.ellipse([a - petal, b - petal, a + petal, b + petal], fill=colour)
    draw.ellipse([x - w * 0.15, head - w * 0.15, x + w * 0.15, head + w * 0.15], fill=(120, 76, 30))


def _boat(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    """A coloured hull with a pale sail."""
    draw.rectangle([x - w * 0.02, y - h, x + w * 0.02, y - h * 0.2], fill=_BARK)
    draw.polygon(
        [(x + w * 0.04, y - h), (x + w * 0.04, y - h * 0.4), (x + w * 0.38, y - h * 0.4)], fill=(236, 232, 222)
    )
    hull = [(x - w / 2, y - h * 0.34), (x + w / 2, y - h * 0.34), (x + w * 0.32, y), (x - w * 0.32, y)]
    draw.polygon(hull, fill=colour)


def _tree(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    draw.rectangle([x - w * 0.1, y - h * 0.5, x + w * 0.1, y], fill=_BARK)
    for a, b, r in ((-0.22, 0.55, 0.28), (0.22, 0.55, 0.28), (0, 0.72, 0.32), (0, 0.5, 0.28)):
        middle, row, radius = x + a * w, y - b * h, r * w
        draw.ellipse([middle - radius, row - radius, middle + radius, row + radius], fill=shade(colour, 0.8 + 0.4 * b))


def _rock(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    outline = [(-0.5, 0), (-0.42, 0.55), (-0.1, 1), (0.24, 0.85), (0.5, 0.3), (0.46, 0)]
    draw.polygon([(x + a * w, y - b * h) for a, b in outline], fill=colour)
    draw.polygon([(x + a * w, y - b * h) for a, b in [*outline[1:4], (0.0, 0.55)]], fill=shade(colour, 1.2))


def _bush(draw: Pencil, colour: Colour, x: float, y: float, w: float, h: float) -> None:
    for a, b, r in ((-0.26, 0.36, 0.26), (0.26, 0.36, 0.26), (0, 0.62, 0.3), (0, 0.34, 0.3)):
        middle, row = x + a * w, y - b * h
        draw.ellipse([middle - r * w, row - 0.4 * h, middle + r * w, row + 0.36 * h], fill=shade(colour, 0.8 + 0.4 * b))
    for a, b in ((-0.3, 0.5), (0.1, 0.75), (0.3, 0.4), (-0.05, 0.3)):
        middle, row, r = x + a * w, y - b * h, w * 0.045
        draw.ellipse([middle - r, row - r, middle + r, row + r], fill=(196, 60, 66))


_SIZES: dict[str, tuple[float, float]] = {
    "ball": (0.19, 0.19), "box": (0.22, 0.2), "bucket": (0.19, 0.22), "umbrella": (0.3, 0.32), "flower": (0.17, 0.26),
    "boat": (0.28, 0.2), "tree": (0.32, 0.48), "rock": (0.26, 0.17), "bush": (0.28, 0.21),
}  # fmt: skip

_DRAWINGS: dict[str, Callable[[Pencil, Colour, float, float, float, float], None]] = {
    "ball": _ball, "box": _box, "bucket": _bucket, "umbrella": _umbrella, "flower": _flower, "boat": _boat,
    "tree": _tree, "rock": _rock, "bush": _bush,
}  # fmt: skip


def draw_clutter(land: Landscape, habitat: str, n: int, top: float, rng: random.Random) -> None:
    """Let `n` small things lie about below the row `top` (pixels): stones, leaves and tufts; fish in the sea."""
    for _ in range(n):
        x, y = rng.uniform(0, land.width), top + (land.width - top) * rng.random()
        size = land.width * (0.018 + 0.04 * rng.random()) * (0.6 + 0.6 * y / land.width)
        kind = int(rng.random() * 3)
        if habitat == "ocean":
            _fish(land, x, y, size, rng)
        elif habitat == "indoors":
            _mat(land, x, y, size, rng)
        elif kind == 0 or habitat in ("cave", "arctic"):
            _stone(land, x, y, size, rng)
        elif kind == 1:
            _leaf(land, x, y, size, rng)
        else:
            _tuft(land, x, y, size, rng)


def _stone(land: Landscape, x: float, y: float, size: float, rng: random.Random) -> None:
    value = int(rng.uniform(70, 190))
    colour = (value, int(value * rng.uniform(0.88, 1.0)), int(value * rng.uniform(0.8, 1.05)))
    land.draw.ellipse([x - size, y - size * 0.55, x + size, y + size * 0.55], fill=shade(colour, 0.75))
    land.draw.ellipse([x - size * 0.9, y - size * 0.6, x + size * 0.8, y + size * 0.3], fill=colour)


def _leaf(land: Landscape, x: float, y: float, size: float, rng: random.Random) -> None:
    hues = ((176, 84, 34), (196, 140, 40), (120, 60, 34), (96, 120, 44), (150, 46, 34))
    angle = rng.uniform(-0.6, 0.6)
    dx, dy = size * math.cos(angle), size * math.sin(angle)
    corners = [(x - dx, y - dy), (x + dy * 0.5, y - size * 0.4), (x + dx, y + dy), (x - dy * 0.5, y + size * 0.4)]
    land.draw.polygon(corners, fill=land.near(hues[int(rng.random() * len(hues))], 12))


def _tuft(land: Landscape, x: float, y: float, size: float, rng: random.Random) -> None:
    hues = ((70, 120, 50), (120, 110, 60), (52, 96, 44), (150, 136, 70))
    colour = hues[int(rng.random() * len(hues))]
    for lean in (-0.7, -0.25, 0.2, 0.65):
        tip = (x + lean * size, y - size * rng.uniform(1.6, 3.0))
        land.draw.polygon(
            [(x + lean * size * 0.3 - size * 0.16, y), (x + lean * size * 0.3 + size * 0.16, y), tip], fill=colour
        )


def _fish(land: Landscape, x: float, y: float, size: float, rng: random.Random) -> None:
    value, way = rng.uniform(0.7, 1.3), 1 if rng.random() < 0.5 else -1
    colour = shade((110, 140, 160), value)
    land.draw.ellipse([x - size, y - size * 0.4, x + size, y + size * 0.4], fill=colour)
    tail = x - way * size
    land.draw.polygon(
        [(tail, y), (tail - way * size * 0.7, y - size * 0.45), (tail - way * size * 0.7, y + size * 0.45)], fill=colour
    )


def _mat(land: Landscape, x: float, y: float, size: float, rng: random.Random) -> None:
    hues = ((150, 110, 100), (110, 120, 140), (170, 160, 130), (120, 90, 70), (190, 180, 170))
    colour = hues[int(rng.random() * len(hues))]
    land.draw.ellipse([x - size * 2.2, y - size * 0.6, x + size * 2.2, y + size * 0.6], fill=colour)
    land.draw.ellipse([x - size * 1.6, y - size * 0.4, x + size * 1.6, y + size * 0.4], fill=shade(colour, 1.12))
