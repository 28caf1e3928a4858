"""AdamW as CLIP was trained with: decay on matrices and kernels only."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .recipe import ContrastiveRecipe


def build_optimiser(module: nn.Module, recipe: ContrastiveRecipe) -> torch.optim.AdamW:
    """An optimiser that draws gains, biases and the logit scale not to 0."""
    return torch.optim.AdamW(_groups(module, recipe), lr=recipe.lr, betas=recipe.betas, eps=recipe.eps)


def _groups(module: nn.Module, recipe: ContrastiveRecipe) -> list[dict[str, Any]]:
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    free = {name for name, p in trained if p.ndim < 2 or name.endswith("bias") or name == "logit_scale"}
    return [
        {"params": [p for name, p in trained if name not in free], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in trained if name in free], "weight_decay": 0.0},
    ]
