"""The loss curve of a fit, in as many rows as a figure needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

ROWS = 100


def thinned(history: NDArray[np.floating[Any]], evaluate_every: int) -> pd.DataFrame:
    """About a hundred rows of `[n, 4]` (step, loss, validation loss or NaN, learning rate), one for each run of steps.

    A run ends where a validation loss was measured, so that this stands beside its own step. The loss is its mean.
    """
    import pandas as pd

    table = pd.DataFrame(history, columns=["step", "loss", "validation_loss", "lr"])
    wanted = max(1, len(table) // ROWS)
    width = max(w for w in range(1, min(wanted, evaluate_every) + 1) if evaluate_every % w == 0)
    runs = table.groupby(np.arange(len(table)) // width)
    thin = runs.agg({"step": "last", "loss": "mean", "validation_loss": "last", "lr": "last"})
    return thin.astype({"step": "int64"})
