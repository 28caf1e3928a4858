"""What an adapter is fitted by: directions, least squares, and a factor of a covariance that may be singular."""

from __future__ import annotations

import torch
from torch import Tensor

_NOTHING = 1e-10
"""Share of the largest eigenvalue below which one counts as 0."""


def directions(features: Tensor) -> Tensor:
    """Features `[..., dim]` with length 1; a vector of nothing but zeros stays as it is."""
    return torch.nn.functional.normalize(features, dim=-1, eps=1e-12)


def least_squares(x: Tensor, y: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """`weight [dim, dim]` and `bias [dim]` with which `weight x + bias` is nearest to y.

    The penalty on the squares of the weights is `ridge` times the mean variance of an entry of x. Without it, and with
    fewer rows than entries, the smallest of the best weights is taken, as by the pseudo-inverse.

    Args:
        x: [n, dim] what is mapped.
        y: [n, dim] what it is to be mapped to.
        ridge: share of the mean variance.
    """
    x_mean, y_mean = x.mean(0), y.mean(0)
    centred = x - x_mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    values = values.clamp_min(0)
    kept = values > _NOTHING * values.max()
    inverse = torch.where(kept, 1 / (values + ridge * values.mean()).clamp_min(1e-300), 0.0)
    weight = ((vectors * inverse) @ (vectors.T @ (centred.T @ (y - y_mean) / len(x)))).T
    return weight, y_mean - weight @ x_mean


def covariance_factor(differences: Tensor) -> Tensor:
    """F `[dim, dim]` with F F' the covariance of the rows `[n, dim]`: computed once, from the eigenvectors.

    Cholesky's factor would need a covariance that is not singular, which fewer rows than entries always give.
    """
    covariance = torch.cov(differences.T).reshape(differences.shape[1], -1)
    values, vectors = torch.linalg.eigh(covariance)
    factor: Tensor = vectors * values.clamp_min(0).sqrt()
    return factor
