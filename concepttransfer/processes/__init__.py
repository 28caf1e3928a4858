"""Several processes that run one command: which is this one, who does which piece, and what if one dies.

`rank`: their numbers; `pieces`: work shared through a folder; `heartbeat`, `peers`: signs of life, and an end together.
"""

from __future__ import annotations

from .rank import count, device_index, index, is_main, place, usable_cores

__all__ = ["count", "device_index", "index", "is_main", "place", "usable_cores"]
