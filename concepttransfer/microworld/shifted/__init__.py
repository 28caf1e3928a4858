"""The microworld's shifted versions: the same scenes at night, as sketches, cluttered, or where no picture was taken.

An encoder that learnt from plain pictures is tried on these (effective robustness). A shift changes the picture of a
scene, never what is true of it: animal, pose, object and relation stay. Only `unseen-habitat` takes the place away, and
with it whatever captions and labels say of the place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from concepttransfer.errors import UnknownNameError
from concepttransfer.microworld.render import render
from concepttransfer.microworld.scene import Scene
from concepttransfer.microworld.shifted.cluttered import scatter_behind, scatter_over
from concepttransfer.microworld.shifted.light import in_plain_light, night, sketch
from concepttransfer.microworld.shifted.places import paint_place

__all__ = ["SHIFTS", "SHIFTS_VERSION", "UNSEEN_HABITAT", "check_shift", "render_shifted"]

Picture = NDArray[np.uint8]
Where = NDArray[np.bool_]

UNSEEN_HABITAT = "unseen-habitat"
SHIFTS_VERSION = "2"
"""Changes whenever a shifted picture of an unchanged scene changes."""


def render_shifted(scene: Scene, shift: str, size: int = 96) -> tuple[Picture, Where]:
    """Draw a scene as a shift shows it; the same scene and shift give the same picture.

    Args:
        scene: what to draw.
        shift: one of `SHIFTS`.
        size: width and height in pixels.

    Returns:
        The picture, `[size, size, 3]` in RGB, and `[size, size]`: where the animal is to be seen.

    Raises:
        UnknownNameError: there is no such shift.
    """
    return SHIFTS[check_shift(shift)](scene, size)


def check_shift(shift: str) -> str:
    """The name, if it is one.

    Raises:
        UnknownNameError: there is no such shift.
    """
    if shift not in SHIFTS:
        raise UnknownNameError("shift", shift, SHIFTS, where="the microworld")
    return shift


def _at_night(scene: Scene, size: int) -> tuple[Picture, Where]:
    picture, mask = render(in_plain_light(scene), size)
    return night(picture, scene), mask


def _as_a_sketch(scene: Scene, size: int) -> tuple[Picture, Where]:
    picture, mask = render(in_plain_light(scene), size)
    return sketch(picture, scene), mask


def _cluttered(scene: Scene, size: int) -> tuple[Picture, Where]:
    return render(scene, size, backdrop=scatter_behind, overlay=scatter_over)


def _elsewhere(scene: Scene, size: int) -> tuple[Picture, Where]:
    return render(scene, size, backdrop=paint_place)


SHIFTS: Mapping[str, Callable[[Scene, int], tuple[Picture, Where]]] = MappingProxyType(
    {"night": _at_night, "sketch": _as_a_sketch, "cluttered": _cluttered, UNSEEN_HABITAT: _elsewhere}
)
"""What draws each shift: from a scene and a size, the picture and where the animal is to be seen."""
