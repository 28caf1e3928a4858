"""Contrastive training: a CLIP learns which caption belongs to which picture (Radford et al. 2021)."""

from __future__ import annotations

from .recipe import ContrastiveRecipe, read_recipe

__all__ = ["ContrastiveRecipe", "read_recipe"]
