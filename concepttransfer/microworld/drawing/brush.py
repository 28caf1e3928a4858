"""With what markings are painted on a quadruped's coat."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, Outline
from concepttransfer.microworld.species import Colour, Species

if TYPE_CHECKING:
    from concepttransfer.microworld.drawing.quadruped import Joints


@dataclass
class Brush:
    """What a marking needs to know: the animal's measures, its colours, and where to paint."""

    body: Body
    species: Species
    joints: Joints
    coat: Coat
    rng: random.Random

    def paint(self, outline: Outline, colour: Colour | None = None) -> None:
        """Paint on the coat, in the colour of the marking unless another is named."""
        self.body.marks.append((outline, colour or self.coat.mark))

    @property
    def rear(self) -> float:
        """The hindmost x of the torso."""
        return self.joints.hip.real - self.joints.hip_radius

    @property
    def breast(self) -> float:
        """The foremost x of the torso."""
        return self.joints.shoulder.real + self.joints.shoulder_radius
