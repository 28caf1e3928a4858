"""The contrastive loss: each picture is to find its caption, and each caption its picture, among a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGEST_SCALE = 100.0
"""What scores are multiplied with at most (Radford et al. 2021, section 2.5)."""


def scale_of(logit_scale: Tensor, largest: float = LARGEST_SCALE) -> Tensor:
    """What scores are multiplied with: the exponential of the learnt logit scale, at most `largest`."""
    return logit_scale.exp().clamp(max=largest)


def contrastive_loss(pictures: Tensor, texts: Tensor, scale: Tensor | float) -> tuple[Tensor, Tensor]:
    """How badly do pictures and texts find each other? In nats; at chance `ln(b)`.

    The mean of the cross entropies of both directions (Radford et al. 2021, figure 3).

    Args:
        pictures: `[b, dim]`, of length 1.
        texts: `[b, dim]`, of length 1; text i belongs to picture i.
        scale: what their cosines are multiplied with.

    Returns:
        The loss, and for each picture whether its own text is the nearest, `[b]`.
    """
    scores = scale * pictures @ texts.T
    own = torch.arange(len(scores), device=scores.device)
    loss = (nn.functional.cross_entropy(scores, own) + nn.functional.cross_entropy(scores.T, own)) / 2
    return loss, scores.argmax(1) == own


def share_of_loss(pictures: Tensor, texts: Tensor, scale: Tensor | float, mine: Tensor) -> tuple[Tensor, Tensor]:
    """What some pairs add to the loss of the whole batch: summed over all shares it is `contrastive_loss`.

    Only `2 * m * b` scores are computed (the local loss of open_clip). Its gradient is not the share's own until that
    of the other processes is added: their pairs hold these pictures and texts as negatives.

    Args:
        pictures: `[b, dim]` of the whole batch, of length 1.
        texts: `[b, dim]` of the whole batch, of length 1.
        scale: what their cosines are multiplied with.
        mine: the places of the share's pairs, `[m]`.

    Returns:
        The share of the loss, and for each of its pictures whether its own text is the nearest, `[m]`.
    """
    seen, read = scale * pictures[mine] @ texts.T, scale * texts[mine] @ pictures.T
    both = sum(nn.functional.cross_entropy(scores, mine, reduction="sum") for scores in (seen, read))
    return torch.as_tensor(both) / (2 * len(pictures)), seen.argmax(1) == mine
