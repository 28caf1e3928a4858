"""Draw a scene: one picture, and the mask of the animal in it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from concepttransfer.microworld.drawing.bat import bat
from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.habitats import Landscape, landscape
from concepttransfer.microworld.drawing.layout import Placement, place
from concepttransfer.microworld.drawing.objects import draw_clutter, draw_object
from concepttransfer.microworld.drawing.primate import primate
from concepttransfer.microworld.drawing.quadruped import quadruped
from concepttransfer.microworld.drawing.shapes import Body, shade
from concepttransfer.microworld.drawing.swimmer import cetacean, pinniped
from concepttransfer.microworld.scene import Scene
from concepttransfer.microworld.species import SPECIES, Species

WORLD_VERSION = "1"
"""Changes whenever a picture of an unchanged scene changes, or the scene of an unchanged seed."""

SUPERSAMPLING = 3
"""Pictures are drawn this much larger and then reduced, so that edges are smooth."""

_PLANS: dict[str, Callable[[Species, str, Coat, random.Random], Body]] = {
    "quadruped": quadruped, "cetacean": cetacean, "pinniped": pinniped, "primate": primate, "bat": bat,
}  # fmt: skip


Backdrop = Callable[[Scene, Landscape], None]
"""Paints over a habitat before anything stands in it."""
Overlay = Callable[[Scene, Landscape, Image.Image, Placement], None]
"""Paints over what is drawn, and takes what it hides out of the animal's mask (`L`, 0 or 255)."""


def render(
    scene: Scene, size: int = 96, *, backdrop: Backdrop | None = None, overlay: Overlay | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a scene; the same scene gives the same picture.

    Chance is drawn separately for shape, habitat, layout, clutter and noise, keyed by the scene's animal and seed, so
    that a scene whose nuisance or object's colour was replaced stays the same otherwise.

    Args:
        scene: what to draw.
        size: width and height in pixels.
        backdrop: paints over the habitat; None: the habitat stays.
        overlay: paints over the finished drawing, before the camera's light and noise; None: nothing.

    Returns:
        The picture, `[size, size, 3]` in RGB, and `[size, size]`: where the animal is to be seen.
    """
    width = size * SUPERSAMPLING
    body = _body(scene)
    land = landscape(scene.habitat, scene.pose, width, _chance(scene, "habitat"))
    if backdrop:
        backdrop(scene, land)
    placement = place(scene, body, land, _chance(scene, "layout"))
    clutter, rng = int(scene.nuisance["clutter"]), _chance(scene, "clutter")
    draw_clutter(land, scene.habitat, clutter, land.horizon + width * 0.04, rng)
    behind = scene.relation == "behind"
    if not behind:
        _draw_object(scene, land, placement)
    before = land.picture.copy() if scene.pose in ("swimming", "jumping") else None
    mask = _draw_animal(scene, body, land, placement)
    if before:
        _flood(scene, land, mask, before, placement)
    if behind:
        _draw_object(scene, land, placement)
        _cover(scene, mask, placement)
    _draw_foreground(scene, land, mask, rng)
    if overlay:
        overlay(scene, land, mask, placement)
    picture = np.asarray(land.picture.reduce(SUPERSAMPLING))
    return _develop(picture, scene), np.asarray(mask.reduce(SUPERSAMPLING)) >= 128


def _chance(scene: Scene, part: str) -> random.Random:
    return random.Random(f"{part} {scene.animal} {scene.seed}")


def _body(scene: Scene) -> Body:
    """The animal in its pose, tilted a little."""
    species, rng = SPECIES[scene.animal], _chance(scene, "shape")
    coat = Coat(species, scene.nuisance["coat"], rng)
    body = _PLANS[species.plan](species, scene.pose, coat, rng)
    tilt = rng.gauss(0, 10 if species.plan in ("cetacean", "bat") else 3)
    if scene.pose == "jumping":
        tilt = rng.uniform(22, 40)
    return body.turned(complex(math.cos(math.radians(tilt)), math.sin(math.radians(tilt))))


def _draw_object(scene: Scene, land: Landscape, placement: Placement) -> None:
    box = placement.object
    if scene.object and box:
        if scene.habitat not in ("ocean", "river"):
            ground = shade(land.ground, 0.72)
            land.draw.ellipse(
                [box.x - box.width * 0.5, box.y - box.width * 0.06, box.x + box.width * 0.5, box.y + box.width * 0.07],
                fill=ground,
            )
        draw_object(land.draw, scene.object, scene.object_colour, box.x, box.y, box.width, box.height)


def _draw_animal(scene: Scene, body: Body, land: Landscape, placement: Placement) -> Image.Image:
    """Draw shadow, limbs, coat, markings and details; return where the animal is, `L`, 0 or 255."""
    box, draw = placement.animal, land.draw
    coat = Image.new("L", land.picture.size, 0)
    on_coat = ImageDraw.Draw(coat)
    if scene.pose in ("standing", "walking", "grazing", "lying", "sitting"):
        shadow = [
            box.x - box.width * 0.44,
            box.y - box.height * 0.04,
            box.x + box.width * 0.44,
            box.y + box.height * 0.06,
        ]
        draw.ellipse(shadow, fill=shade(land.ground, 0.72))
    elif scene.pose == "hanging":
        perch = [0, box.y - box.height - land.width * 0.02, land.width, box.y - box.height + land.width * 0.02]
        draw.rectangle(perch, fill=(70, 54, 44))
    for outline, colour in body.back:
        draw.polygon(placement(outline), fill=colour)
    for outline, colour in body.coat:
        pixels = placement(outline)
        draw.polygon(pixels, fill=colour)
        on_coat.polygon(pixels, fill=255)
    _paint_markings(land, body, placement, coat)
    _texture(scene, land, coat)
    mask = coat.copy()
    on_mask = ImageDraw.Draw(mask)
    for outline, colour in body.front:
        pixels = placement(outline)
        draw.polygon(pixels, fill=colour)
        on_mask.polygon(pixels, fill=255)
    for outline, _ in body.back:
        on_mask.polygon(placement(outline), fill=255)
    return mask


def _paint_markings(land: Landscape, body: Body, placement: Placement, coat: Image.Image) -> None:
    if body.marks:
        layer = land.picture.copy()
        draw = ImageDraw.Draw(layer)
        for outline, colour in body.marks:
            draw.polygon(placement(outline), fill=colour)
        land.picture.paste(layer, (0, 0), coat)


def _texture(scene: Scene, land: Landscape, coat: Image.Image) -> None:
    """Hair on furry coats, a sheen on smooth ones, and shade below."""
    box = coat.getbbox()
    if box is None:
        return
    size = (box[2] - box[0], box[3] - box[1])
    inside = coat.crop(box)
    fur = SPECIES[scene.animal].fur
    if fur == "smooth":
        land.picture.paste((255, 255, 255), box, ImageChops.multiply(inside, _sheen().resize(size)))
    else:
        hair = _hair(coat.size[0], fur).crop((0, 0, *size))
        land.picture.paste((30, 24, 20), box, ImageChops.multiply(inside, hair))
    land.picture.paste((20, 20, 30), box, ImageChops.multiply(inside, _underside().resize(size)))


@cache
def _underside() -> Image.Image:
    return Image.linear_gradient("L").point([int(max(0, value - 110) * 0.45) for value in range(256)])


@cache
def _sheen() -> Image.Image:
    return Image.linear_gradient("L").point([int(max(0, 110 - value) * 0.4) for value in range(256)])


@cache
def _hair(width: int, fur: str) -> Image.Image:
    """Short slanting strokes; denser and curlier the longer the fur."""
    rng = random.Random(f"hair {fur}")
    tile = Image.new("L", (width, width), 0)
    draw = ImageDraw.Draw(tile)
    n, length, depth = {"short": (1500, 5, 44), "velvet": (1800, 3, 60), "fluffy": (1500, 9, 60)}.get(
        fur, (1500, 6, 64)
    )
    for _ in range(n):
        x, y, slant = rng.uniform(0, width), rng.uniform(0, width), rng.uniform(0.2, 0.9)
        if fur == "fleece":
            draw.arc([x - length, y - length, x + length, y + length], 0, 220, fill=depth, width=2)
        else:
            draw.line([x, y, x - length * slant, y + length], fill=int(depth * rng.uniform(0.4, 1)), width=1)
    return tile


def _flood(scene: Scene, land: Landscape, mask: Image.Image, before: Image.Image, placement: Placement) -> None:
    """Let water cover what is below its surface: of a whale that jumps, and of any animal that swims but a whale."""
    box, width = placement.animal, land.width
    if scene.pose == "swimming" and SPECIES[scene.animal].plan == "cetacean":
        return
    jumping = scene.pose == "jumping"
    row = int(min(width - 1, land.horizon + width * 0.02 if jumping else box.y - box.height * 0.3))
    land.picture.paste(before.crop((0, row, width, width)), (0, row))
    mask.paste(0, (0, row, width, width))
    bounds = mask.crop((0, max(0, row - 6), width, row)).getbbox()
    if bounds is None:
        return
    left, right = bounds[0] - width * 0.03, bounds[2] + width * 0.03
    drawings = ImageDraw.Draw(mask)
    depth = width * (0.03 if jumping else 0.012)
    for draw, fill in ((land.draw, (226, 240, 246)), (drawings, 0)):
        draw.ellipse([left, row - depth, right, row + depth], fill=fill)


def _cover(scene: Scene, mask: Image.Image, placement: Placement) -> None:
    """Take what the object hides out of the animal's mask."""
    box = placement.object
    if scene.object and box:
        layer = Image.new("RGB", mask.size)
        draw_object(
            ImageDraw.Draw(layer),
            scene.object,
            "white" if scene.object_colour else None,
            box.x,
            box.y,
            box.width,
            box.height,
        )
        mask.paste(0, (0, 0), layer.convert("L").point([0] + [255] * 255))


def _draw_foreground(scene: Scene, land: Landscape, mask: Image.Image, rng: random.Random) -> None:
    """A few blades of grass at the lower edge of about a third of the pictures with clutter."""
    if rng.random() > 0.35 or scene.nuisance["clutter"] < 1 or scene.habitat in ("ocean", "indoors", "cave", "arctic"):
        return
    width, on_mask = land.width, ImageDraw.Draw(mask)
    colours = ((70, 120, 50), (120, 110, 60), (90, 90, 84))
    for _ in range(int(rng.uniform(3, 9))):
        x, height, lean = rng.uniform(0, width), rng.uniform(0.05, 0.13) * width, rng.uniform(-0.05, 0.05) * width
        blade = [x - width * 0.012, width, x + width * 0.012, width, x + lean, width - height]
        land.draw.polygon(blade, fill=colours[int(rng.random() * 3)])
        on_mask.polygon(blade, fill=0)


def _develop(picture: NDArray[np.uint8], scene: Scene) -> NDArray[np.uint8]:
    """Light, colour cast and noise of the camera."""
    nuisance = scene.nuisance
    cast = np.array([nuisance["cast_red"], nuisance["cast_green"], nuisance["cast_blue"]], dtype=np.float32)
    rng = np.random.Generator(np.random.PCG64(_chance(scene, "noise").getrandbits(64)))
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(nuisance["noise"])
    developed = picture * (cast * np.float32(nuisance["brightness"])) + noise
    finished: NDArray[np.uint8] = np.clip(developed, 0, 255).astype(np.uint8)
    return finished
