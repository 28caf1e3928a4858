"""What an encoder makes of pictures, on disk: `encode` writes the store, `Features` reads it. Loads no torch."""

from __future__ import annotations

from .store import Features, encode, features_key

__all__ = ["Features", "encode", "features_key"]
