"""The embedded world: pictures drawn from the attributes of AwA2's animals, texts about them, small models of both."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
"""Where the shipped weights of the microworld's models lie."""
