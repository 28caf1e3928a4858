"""The map as one table for other programs, each picture's bytes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ..embedding_map import EmbeddingMap


def frame(result: EmbeddingMap) -> pd.DataFrame:
    """A row a picture and encoder: `x`, `y`, `label`, `picture` (its bytes and a name), and all else that is known."""
    table = result.to_frame().rename(columns={"class": "label"})
    pictures = {row: _picture(row, content) for row, content in result.pictures.items()}
    table["picture"] = table["row_id"].map(pictures)
    return table


def _picture(row: str, content: bytes) -> dict[str, Any]:
    """As `datasets` and embedding-atlas read pictures. The name says what the bytes are, not where they lay."""
    from concepttransfer.result.files import picture_suffix

    return {"bytes": content, "path": f"{row.rpartition('/')[2].rpartition('.')[0] or row}{picture_suffix(content)}"}
