"""What a reader would see of a page that is badly set: texts on texts, texts cut off, a page wider than the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FAULTS = Path(__file__).with_suffix(".js")


def faults(page: Any) -> list[str]:
    """The faults that the page has in the window that it is shown in; it must hold some text."""
    found = page.evaluate(FAULTS.read_text(encoding="utf-8"))
    assert found["texts"] > 0, "nothing on the page is visible"
    return list(found["faults"])
