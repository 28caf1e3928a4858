"""The blank picture: mid-grey, and encoded like any other; what stands in the prompt is what an encoder makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..manifest import Manifest, Row

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = 128
"""Of 255, in all three channels: near the mean that every transform takes off."""
SIZE = 224
"""Pixels of a side; the encoder's transform makes of it what it makes of any picture."""
KEY = f"grey-{GREY}-{SIZE}"


class GreyPicture:
    """Gives the one picture whatever the key."""

    def read(self, key: str) -> Image:
        """The blank picture."""
        from PIL import Image

        return Image.new("RGB", (SIZE, SIZE), (GREY, GREY, GREY))


def blank_manifest() -> Manifest:
    """One row, the blank picture."""
    return Manifest("blank", (Row("blank", picture=KEY),), GreyPicture())
