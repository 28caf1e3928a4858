"""The learning rate of each step: a linear rise to the peak, then a decay."""

from __future__ import annotations

import math

from .recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of optimiser step `step` (counted from 0).

    It rises linearly over `warmup_steps`, the first step already taking its share of the peak, and decays from there to
    `min_lr` at `decay_steps` (None: at the last step), where it stays. LiMBeR decays over 300,000 steps, of which it
    takes 15,000.
    """
    if step < recipe.warmup_steps:
        return recipe.lr * (step + 1) / recipe.warmup_steps
    end = recipe.decay_steps or recipe.steps
    done = min(1.0, (step - recipe.warmup_steps) / max(1, end - recipe.warmup_steps))
    left = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[recipe.schedule]
    return recipe.min_lr + (recipe.lr - recipe.min_lr) * left
