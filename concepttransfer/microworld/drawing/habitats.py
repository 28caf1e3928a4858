"""The thirteen habitats: sky or wall, ground or water, and what stands in them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from concepttransfer.microworld.drawing.shapes import shade
from concepttransfer.microworld.species import Colour

_SKY, _HAZE = (150, 196, 235), (205, 226, 242)
_BANDS = 16
_SKIES = ("plains", "fields", "bush", "desert", "arctic", "mountains", "coastal")


class Landscape:
    """A habitat being painted.

    Attributes:
        picture: square, in RGB.
        horizon: where the ground or the water begins, in pixels from above.
        ground: the colour of the ground near the viewer.
    """

    def __init__(self, width: int, horizon: float, rng: random.Random) -> None:
        self.picture = Image.new("RGB", (width, width))
        self.draw = ImageDraw.Draw(self.picture)
        self.width, self.horizon, self.rng = width, int(horizon * width), rng
        self.ground: Colour = (128, 128, 128)

    def near(self, colour: Colour, spread: float = 10) -> Colour:
        """A colour like this one."""
        red, green, blue = (int(max(0, min(255, value + self.rng.gauss(0, spread)))) for value in colour)
        return red, green, blue

    def fade(self, top: float, bottom: float, above: Colour, below: Colour) -> None:
        """Fill the rows from `top` to `bottom` (pixels) with one colour turning into another."""
        for band in range(_BANDS):
            share = band / (_BANDS - 1)
            red, green, blue = (int(a + (b - a) * share) for a, b in zip(above, below, strict=True))
            low, high = (top + (bottom - top) * step / _BANDS for step in (band, band + 1))
            self.draw.rectangle([0, low, self.width, high + 1], fill=(red, green, blue))

    def sky(self) -> None:
        """A pale blue sky down to the horizon."""
        self.fade(0, self.horizon, self.near(_SKY), self.near(_HAZE))

    def floor(self, far: Colour, close: Colour, spread: float = 10, below: float = 0.0) -> None:
        """The ground from the horizon (or a share of the width below it) downwards."""
        self.ground = self.near(close, spread)
        self.fade(self.horizon + below * self.width, self.width, self.near(far, spread), self.ground)

    def spot(self, top: float, bottom: float) -> tuple[float, float]:
        """A place between two rows (pixels)."""
        return self.rng.uniform(0, self.width), self.rng.uniform(top, bottom)

    def size(self, low: float, high: float) -> float:
        """A length in pixels between two shares of the width."""
        return self.rng.uniform(low, high) * self.width

    def line(self, points: list[float], colour: Colour, share: float = 0.011) -> None:
        """A line whose width is a share of the picture's."""
        self.draw.line(points, fill=colour, width=max(1, round(self.width * share)))

    def tufts(self, n: int, colour: Colour) -> None:
        """Blades of grass on the ground."""
        for _ in range(n):
            x, y = self.spot(self.horizon, self.width)
            self.line([x, y, x + self.size(-0.02, 0.02), y - self.size(0.02, 0.06)], self.near(colour, 12))

    def stones(self, n: int, colour: Colour, below: float = 0.0) -> None:
        """Flat stones on the ground."""
        for _ in range(n):
            (x, y), s = self.spot(self.horizon + below * self.width, self.width), self.size(0.01, 0.035)
            self.draw.ellipse([x - s, y - s * 0.6, x + s, y + s * 0.6], fill=self.near(colour))

    def ripples(self, n: int, colour: Colour, top: float, bottom: float) -> None:
        """Short level lines on water."""
        for _ in range(n):
            x, y = self.spot(top, bottom)
            self.line([x, y, x + 0.11 * self.width, y], self.near(colour, 8), 0.009)


def landscape(habitat: str, pose: str, width: int, rng: random.Random) -> Landscape:
    """Paint a habitat without animal and object; the pose says where the surface of the sea is."""
    low, high = {"forest": (0.5, 0.62), "jungle": (0.55, 0.68), "cave": (0.65, 0.8)}.get(habitat, (0.38, 0.58))
    if habitat == "ocean":
        low, high = {"jumping": (0.6, 0.7), "swimming": (0.13, 0.22)}.get(pose, (0.4, 0.5))
    scene = Landscape(width, rng.uniform(low, high), rng)
    if habitat in _SKIES:
        scene.sky()
    _HABITATS[habitat](scene)
    return scene


def _plains(scene: Landscape) -> None:
    """Dry yellow grass and umbrella trees."""
    for _ in range(2):
        if scene.rng.random() < 0.6:
            x, s, y = scene.size(0, 1), scene.size(0.12, 0.22), scene.horizon
            scene.draw.rectangle([x - s * 0.05, y - s * 0.7, x + s * 0.05, y], fill=(96, 72, 48))
            scene.draw.ellipse([x - s * 0.6, y - s * 0.95, x + s * 0.6, y - s * 0.55], fill=scene.near((110, 128, 60)))
    scene.floor((206, 184, 104), (180, 150, 76))
    scene.tufts(30, (160, 136, 60))


def _fields(scene: Landscape) -> None:
    """Green meadow, often with a fence."""
    scene.floor((128, 184, 84), (84, 146, 56))
    scene.tufts(22, (70, 130, 48))
    if scene.rng.random() < 0.5:
        width, y = scene.width, scene.horizon
        for x in range(0, width, width // 6):
            scene.draw.rectangle([x, y - width * 0.08, x + width * 0.02, y + width * 0.03], fill=(150, 120, 86))
        for rail in (-0.06, -0.02):
            scene.draw.rectangle([0, y + width * rail, width, y + width * (rail + 0.014)], fill=(150, 120, 86))


def _bush(scene: Landscape) -> None:
    """Dry ground full of low shrubs."""
    scene.floor((178, 164, 104), (150, 136, 84))
    for _ in range(9):
        x, s = scene.size(0, 1), scene.size(0.06, 0.13)
        y = scene.horizon + scene.size(-0.02, 0.12)
        scene.draw.ellipse([x - s, y - s * 0.8, x + s, y + s * 0.4], fill=scene.near((96, 124, 62), 12))


def _desert(scene: Landscape) -> None:
    """Sand, dunes, a low sun, a cactus."""
    width, y = scene.width, scene.horizon
    scene.draw.ellipse([width * 0.7, width * 0.05, width * 0.85, width * 0.2], fill=(255, 240, 190))
    left, right = scene.size(0.1, 0.4), scene.size(0.5, 0.7)
    scene.draw.polygon([(0, y), (left, y - width * 0.1), (right, y)], fill=scene.near((222, 180, 116)))
    scene.floor((236, 204, 140), (214, 174, 108))
    for _ in range(5):
        (x, row), s = scene.spot(y, width), scene.size(0.1, 0.25)
        scene.draw.arc([x - s, row - s * 0.2, x + s, row + s * 0.3], 200, 340, fill=shade(scene.ground, 0.9), width=2)
    if scene.rng.random() < 0.7:
        x, s, green = scene.size(0.05, 0.95), width * 0.17, (70, 130, 70)
        stem, low, high = (-0.1, -1.0, 0.1, 0.2), (-0.4, -0.6, 0.0, -0.45), (0.0, -0.4, 0.4, -0.25)
        for box in (stem, low, (-0.4, -0.85, -0.25, -0.45), high, (0.25, -0.7, 0.4, -0.25)):
            scene.draw.rectangle([x + box[0] * s, y + box[1] * s, x + box[2] * s, y + box[3] * s], fill=green)


def _arctic(scene: Landscape) -> None:
    """Snow, ice, falling flakes."""
    for _ in range(3):
        x, s, y = scene.size(0, 1), scene.size(0.1, 0.25), scene.horizon
        corners = [(x - s, y), (x, y - s * 0.7), (x + s * 0.3, y - s * 0.4), (x + s, y)]
        scene.draw.polygon(corners, fill=scene.near((178, 208, 230)))
    scene.floor((226, 236, 244), (200, 216, 230), 4)
    for _ in range(26):
        (x, row), s = scene.spot(0, scene.width), scene.width * 0.012
        scene.draw.ellipse([x, row, x + s, row + s], fill=(255, 255, 255))


def _mountains(scene: Landscape) -> None:
    """Gray peaks with snow, stony ground."""
    for _ in range(4):
        x, s, y = scene.size(0, 1), scene.size(0.2, 0.4), scene.horizon
        scene.draw.polygon([(x - s, y), (x, y - s), (x + s, y)], fill=scene.near((124, 122, 134)))
        cap = [(x - s * 0.25, y - s * 0.75), (x, y - s), (x + s * 0.25, y - s * 0.75)]
        scene.draw.polygon(cap, fill=(240, 244, 248))
    scene.floor((140, 150, 110), (120, 118, 96))
    scene.stones(10, (134, 130, 126))


def _coastal(scene: Landscape) -> None:
    """A strip of sea with foam, then sand."""
    width, y = scene.width, scene.horizon
    scene.draw.rectangle([0, y - width * 0.02, width, y + width * 0.12], fill=scene.near((70, 140, 180)))
    scene.ripples(6, (210, 232, 240), y, y + width * 0.1)
    scene.floor((226, 206, 156), (206, 180, 126), below=0.12)
    scene.line([0, y + width * 0.12, width, y + width * 0.12], (240, 246, 248), 0.016)
    scene.stones(7, (136, 130, 124), below=0.15)


def _forest(scene: Landscape) -> None:
    """Trunks behind, firs before them, mossy ground."""
    width = scene.width
    scene.fade(0, scene.horizon, scene.near((126, 164, 128)), scene.near((92, 132, 88)))
    for _ in range(9):
        x, half = scene.size(0, 1), scene.size(0.015, 0.04)
        scene.draw.rectangle([x - half, 0, x + half, scene.horizon + width * 0.04], fill=scene.near((92, 70, 50)))
    for _ in range(7):
        x, s = scene.size(0, 1), scene.size(0.3, 0.5)
        y = scene.horizon + scene.size(-0.02, 0.06)
        scene.draw.rectangle([x - s * 0.07, y - s * 0.5, x + s * 0.07, y], fill=(80, 60, 40))
        fir = [(x, y - s * 1.2), (x - s * 0.32, y - s * 0.25), (x + s * 0.32, y - s * 0.25)]
        scene.draw.polygon(fir, fill=scene.near((44, 92, 54), 8))
    scene.floor((104, 116, 62), (84, 88, 50))
    scene.tufts(18, (60, 96, 44))


def _jungle(scene: Landscape) -> None:
    """Large leaves, lianas, dense green."""
    scene.fade(0, scene.horizon, scene.near((52, 120, 70)), scene.near((36, 92, 52)))
    for _ in range(24):
        (x, y), s, angle = scene.spot(0, scene.horizon), scene.size(0.08, 0.2), scene.rng.uniform(0, 2 * math.pi)
        side = (x + s * math.cos(angle) - s * 0.15, y + s * math.sin(angle) + s * 0.15)
        tip = (x + s * 1.2 * math.cos(angle + 0.3), y + s * 1.2 * math.sin(angle + 0.3))
        scene.draw.polygon([(x, y), side, tip], fill=scene.near((50, 140, 66), 18))
    for _ in range(3):
        x, bow = scene.size(0, 1), scene.size(-0.1, 0.1)
        scene.line([x, 0, x + bow, scene.horizon * 0.5, x, scene.horizon], (92, 78, 40), 0.015)
    scene.floor((70, 104, 48), (54, 84, 38))
    scene.tufts(28, (60, 150, 60))


def _ocean(scene: Landscape) -> None:
    """A strip of sky, then water that darkens downwards."""
    width, y = scene.width, scene.horizon
    scene.fade(0, y, scene.near(_SKY), scene.near(_HAZE))
    scene.floor((60, 140, 190), (20, 66, 120))
    scene.line([0, y, width, y], (214, 234, 244), 0.012)
    scene.ripples(10, (120, 180, 214), y, width)
    for _ in range(8):
        (x, row), s = scene.spot(y, width), scene.size(0.008, 0.02)
        scene.draw.ellipse([x - s, row - s, x + s, row + s], outline=(190, 224, 240))


def _river(scene: Landscape) -> None:
    """Green banks behind, reeds, calm water."""
    width, y = scene.width, scene.horizon
    scene.fade(0, y, scene.near((150, 180, 130)), scene.near((110, 150, 96)))
    scene.floor((96, 150, 160), (60, 112, 128))
    scene.ripples(12, (150, 196, 200), y, width)
    for _ in range(12):
        x, top = scene.size(0, 1), y - scene.size(0.08, 0.2)
        scene.line([x, y + width * 0.03, x, top], (70, 110, 50), 0.012)
        scene.draw.ellipse([x - width * 0.012, top - width * 0.05, x + width * 0.012, top], fill=(104, 72, 44))


def _cave(scene: Landscape) -> None:
    """Dark stone, stalactites, light from the mouth."""
    y = scene.horizon
    scene.fade(0, y, scene.near((70, 64, 74)), scene.near((96, 88, 92)))
    x, s = scene.size(0.1, 0.9), scene.size(0.18, 0.26)
    scene.draw.ellipse([x - s, y - s * 1.9, x + s, y + s * 0.6], fill=scene.near((168, 176, 184)))
    for _ in range(9):
        x, s = scene.size(0, 1), scene.size(0.05, 0.2)
        scene.draw.polygon([(x - s * 0.25, 0), (x + s * 0.25, 0), (x, s * 1.3)], fill=scene.near((54, 50, 58), 5))
    scene.floor((70, 64, 66), (52, 48, 50), 5)
    scene.stones(8, (88, 82, 86))


def _indoors(scene: Landscape) -> None:
    """A wall, a skirting board, a wooden floor, often a window."""
    width, y = scene.width, scene.horizon
    walls = ((226, 214, 196), (196, 210, 216), (220, 200, 190), (206, 214, 190))
    wall = scene.near(walls[int(scene.rng.random() * 4)])
    scene.draw.rectangle([0, 0, width, y], fill=wall)
    scene.floor((176, 128, 88), (150, 104, 68))
    for board in range(5):
        row = y + (width - y) * board / 5
        scene.line([0, row, width, row], shade(scene.ground, 0.88), 0.008)
    scene.draw.rectangle([0, y - width * 0.02, width, y], fill=(250, 246, 240))
    if scene.rng.random() < 0.65:
        x, top, bottom = scene.size(0.05, 0.7), width * 0.06, y - width * 0.14
        scene.draw.rectangle([x, top, x + width * 0.24, bottom], fill=(250, 250, 250))
        inner = [x + width * 0.02, top + width * 0.02, x + width * 0.22, bottom - width * 0.02]
        scene.draw.rectangle(inner, fill=(160, 206, 236))
        scene.line([x + width * 0.12, top, x + width * 0.12, bottom], (250, 250, 250), 0.016)


_HABITATS: dict[str, Callable[[Landscape], None]] = {
    "arctic": _arctic, "coastal": _coastal, "desert": _desert, "bush": _bush, "plains": _plains, "forest": _forest,
    "fields": _fields, "jungle": _jungle, "mountains": _mountains, "ocean": _ocean, "river": _river, "cave": _cave,
    "indoors": _indoors,
}  # fmt: skip
