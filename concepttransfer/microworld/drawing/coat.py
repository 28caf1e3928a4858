"""The colours of one animal: its palette, moved a little, since no two are quite alike."""

from __future__ import annotations

import random

from concepttransfer.microworld.species import PALETTE, Colour, Species


class Coat:
    """The colours of one animal, by part or by name in the palette."""

    def __init__(self, species: Species, jitter: float, rng: random.Random) -> None:
        """Move all colours together by a normal step of `jitter` grey levels in each channel."""
        self._shift = [rng.gauss(0, jitter) for _ in range(3)]
        self.main = self[species.coat]
        self.belly = self[species.belly] if species.belly else None
        self.legs = self[species.legs] if species.legs else self.main
        self.mark = self[species.mark or "black"]
        self.face = self[species.face or species.coat]
        self.head = self[species.head_colour] if species.head_colour else self.main
        self.ear = self[species.ear_colour] if species.ear_colour else self.head

    def __getitem__(self, name: str) -> Colour:
        red, green, blue = (
            int(max(0, min(255, value + shift))) for value, shift in zip(PALETTE[name], self._shift, strict=True)
        )
        return red, green, blue
