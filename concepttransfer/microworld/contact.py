"""Contact sheets: many scenes on one picture, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from concepttransfer.microworld.render import render
from concepttransfer.microworld.scene import ANIMALS, Scene, sample_scene
from concepttransfer.microworld.shifted import SHIFTS, render_shifted

_LABEL = 14


def contact_sheet(
    scenes: str | Sequence[Scene], columns: int = 10, size: int = 96, shift: str | None = None
) -> Image.Image:
    """Draw many scenes side by side, the name of the animal above each.

    Args:
        scenes: the scenes, or the name of a split: then the first of each of the 50 animals.
        columns: how many stand in a row.
        size: width of one picture in pixels.
        shift: the shift that shows them; None: as they are.

    Raises:
        UnknownNameError: there is no such split, or no such shift.
    """
    chosen = _first_of_each(scenes) if isinstance(scenes, str) else tuple(scenes)
    return _sheet([(scene, shift, scene.animal) for scene in chosen], columns, size)


def shifts_sheet(split: str, columns: int = 10, size: int = 96) -> Image.Image:
    """Draw a few scenes of a split as they are and, a row each, as every shift shows them.

    Raises:
        UnknownNameError: there is no such split.
    """
    each = _first_of_each(split)
    chosen = each[:: max(1, len(each) // columns)][:columns]
    shown = [(scene, shift, shift or scene.animal) for shift in (None, *SHIFTS) for scene in chosen]
    return _sheet(shown, columns, size)


def _sheet(shown: Sequence[tuple[Scene, str | None, str]], columns: int, size: int) -> Image.Image:
    """Pictures of scenes, each with its shift, under what is written above each."""
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (size + 2), rows * (size + _LABEL)), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for i, (scene, shift, written) in enumerate(shown):
        x, y = i % columns * (size + 2), i // columns * (size + _LABEL)
        draw.text((x + 2, y + 1), written, fill=(0, 0, 0))
        picture = render_shifted(scene, shift, size) if shift else render(scene, size)
        sheet.paste(Image.fromarray(picture[0]), (x, y + _LABEL))
    return sheet


def _first_of_each(split: str) -> tuple[Scene, ...]:
    from concepttransfer.microworld.data import first_seed

    start = first_seed(split)
    return tuple(sample_scene(animal, start + i) for i, animal in enumerate(ANIMALS))
