"""The markings of quadrupeds, painted on the coat in the order in which `species.yaml` names them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from concepttransfer.microworld.drawing.areas import AREAS
from concepttransfer.microworld.drawing.brush import Brush
from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.patterns import PATTERNS
from concepttransfer.microworld.drawing.shapes import Body, ellipse
from concepttransfer.microworld.species import Species

if TYPE_CHECKING:
    from concepttransfer.microworld.drawing.quadruped import Joints


def add_markings(body: Body, species: Species, joints: Joints, coat: Coat, rng: random.Random) -> None:
    """Paint belly and markings, in the order in which the species names them."""
    brush = Brush(body, species, joints, coat, rng)
    rings = list(body.marks)
    body.marks.clear()
    if coat.belly:
        radius = max(joints.hip_radius, joints.shoulder_radius)
        middle = complex((joints.hip.real + joints.shoulder.real) / 2, joints.hip.imag - radius * 0.95)
        brush.paint(ellipse(middle, abs(joints.shoulder - joints.hip) * 0.62 + 0.04, radius * 0.5), coat.belly)
    for mark in species.marks:
        (PATTERNS.get(mark) or AREAS[mark])(brush)
    body.marks += rings
