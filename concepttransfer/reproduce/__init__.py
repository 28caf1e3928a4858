"""A paper's study from its first stage to its tables, filled beside the printed values.

`published`: what was printed (`limber.yaml`); `costs`: what the study needs on the devices found; `run`: makes what is
missing; `tables`: fills the cells.
"""

from __future__ import annotations

from .published import Paper, papers, read_paper
from .run import Reproduction, reproduce

__all__ = ["Paper", "Reproduction", "papers", "read_paper", "reproduce"]
