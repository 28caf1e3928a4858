"""Places in which no other picture of the microworld was taken: a city, a volcano, another planet."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from concepttransfer.microworld.drawing.habitats import Landscape
from concepttransfer.microworld.drawing.shapes import shade
from concepttransfer.microworld.grammar import PLACES, caption
from concepttransfer.microworld.scene import Scene

_IN_WATER = ("ocean", "river")
_TRIES = 400


def place_of(scene: Scene) -> str:
    """Which of `UNSEEN_PLACES` a scene is moved to."""
    names = tuple(UNSEEN_PLACES)
    return names[int(_chance(scene, "place").random() * len(names))]


def paint_place(scene: Scene, land: Landscape) -> None:
    """Paint the unseen place over a habitat: ground for ground and water for water, the horizon where it was."""
    land.rng = _chance(scene, "unseen")
    UNSEEN_PLACES[place_of(scene)](land, scene.habitat in _IN_WATER)


def placeless_captions(scene: Scene) -> tuple[str, ...]:
    """A scene's captions without the place, no two alike; fewer than five where so many cannot be said."""
    rng, said = random.Random(f"captions {scene.animal} {scene.seed}"), dict[str, None]()
    for _ in range(_TRIES):
        said[caption(scene, rng).replace(f" {PLACES[scene.habitat]}", "")] = None
        if len(said) == 5:
            break
    return tuple(said)


def _chance(scene: Scene, part: str) -> random.Random:
    return random.Random(f"{part} {scene.animal} {scene.seed}")


def _city(land: Landscape, water: bool) -> None:
    """Houses with lit windows; a street, or a canal behind its wall."""
    width, y = land.width, land.horizon
    land.fade(0, y, land.near((196, 170, 188)), land.near((236, 206, 190)))
    x = -land.size(0, 0.1)
    while x < width:
        wide, top = land.size(0.16, 0.3), y - min(y * 0.95, land.size(0.2, 0.5))
        walls = ((150, 84, 72), (112, 116, 132), (186, 160, 128), (96, 90, 110))
        wall = land.near(walls[int(land.rng.random() * len(walls))])
        land.draw.rectangle([x, top, x + wide, y], fill=wall)
        _windows(land, x, top, x + wide, y)
        x += wide
    if water:
        land.draw.rectangle([0, y, width, y + width * 0.03], fill=(120, 112, 104))
        land.floor((92, 104, 84), (54, 66, 52), below=0.03)
        land.ripples(10, (130, 140, 116), y + width * 0.05, width)
        return
    land.floor((92, 92, 98), (66, 66, 72), 5)
    land.draw.rectangle([0, y, width, y + width * 0.04], fill=(172, 168, 164))
    row = y + (width - y) * 0.55
    for start in range(0, width, width // 5):
        land.draw.rectangle([start, row, start + width * 0.1, row + width * 0.018], fill=(236, 236, 228))


def _windows(land: Landscape, left: float, top: float, right: float, bottom: float) -> None:
    step, side = land.width * 0.06, land.width * 0.032
    row = top + side * 0.7
    while row + side < bottom:
        column = left + side * 0.6
        while column + side < right:
            lit = (250, 222, 120) if land.rng.random() < 0.45 else (52, 58, 76)
            land.draw.rectangle([column, row, column + side, row + side], fill=lit)
            column += step
        row += step


def _volcano(land: Landscape, water: bool) -> None:
    """A glowing mountain under a red sky; black ground with cracks of fire, or a lake of lava."""
    width, y = land.width, land.horizon
    land.fade(0, y, land.near((84, 22, 26)), land.near((206, 82, 42)))
    peak, high = land.size(0.2, 0.8), max(y * 0.15, y - width * 0.42)
    mountain = [(peak - width * 0.42, y), (peak - width * 0.07, high), (peak + width * 0.07, high)]
    land.draw.polygon([*mountain, (peak + width * 0.42, y)], fill=land.near((48, 36, 38), 5))
    for side in (-0.05, 0.0, 0.05):
        foot = peak + width * side * 5 + land.size(-0.03, 0.03)
        land.line([peak + width * side, high, foot, y], (255, 150, 40), 0.018)
    if water:
        land.floor((224, 92, 30), (164, 44, 22))
        land.ripples(16, (255, 196, 80), y, width)
        return
    land.floor((62, 52, 54), (34, 28, 32), 5)
    for _ in range(8):
        x, row = land.spot(y, width)
        points = [x, row, x + land.size(0.03, 0.08), row + land.size(-0.03, 0.03), x + land.size(0.1, 0.18), row]
        land.line(points, land.near((255, 120, 30)), 0.013)


def _planet(land: Landscape, water: bool) -> None:
    """Two moons in a violet sky; turquoise ground with craters, or a pink sea."""
    width, y = land.width, land.horizon
    land.fade(0, y, land.near((62, 34, 104)), land.near((176, 96, 190)))
    for radius, colour in ((0.09, (250, 220, 160)), (0.045, (160, 240, 210))):
        x, row = land.size(0.1, 0.9), y * land.rng.uniform(0.2, 0.7)
        land.draw.ellipse([x - radius * width, row - radius * width, x + radius * width, row + radius * width], colour)
    if water:
        land.floor((240, 150, 196), (190, 84, 150))
        land.ripples(12, (255, 214, 236), y, width)
        return
    land.floor((84, 206, 196), (40, 150, 150))
    for _ in range(9):
        (x, row), s = land.spot(y, width), land.size(0.025, 0.07)
        land.draw.ellipse([x - s, row - s * 0.4, x + s, row + s * 0.4], fill=shade(land.ground, 0.75))
        land.draw.arc([x - s, row - s * 0.4, x + s, row + s * 0.4], 180, 360, fill=shade(land.ground, 1.3), width=2)


UNSEEN_PLACES: Mapping[str, Callable[[Landscape, bool], None]] = MappingProxyType(
    {"city": _city, "volcano": _volcano, "planet": _planet}
)
"""What paints each unseen place, on land or in water."""
