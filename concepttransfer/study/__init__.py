"""A study: encoders, a language model, data and a recipe. What is missing is built, in order; the rest is reused."""

from __future__ import annotations

from .study import Study, load_study

__all__ = ["Study", "load_study"]
