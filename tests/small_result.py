"""A small analysis with awkward texts, for the tests of results and reports."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from concepttransfer.analysis import analysis
from concepttransfer.result import ESTIMATES, Result

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"
CAPTIONS = [
    "NA",
    "",
    None,
    'a "big, red" dog',
    f"zebra {EVIL}",
    "line one\nline two\r\n",
    "$5 & 50% {of} a_b#c~d^e\\f",
    "シマウマ 🦓",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class SmallResult(Result):
    """A row is a picture; `score` is its score."""

    kind: ClassVar[str] = "small-test"
    columns: ClassVar[dict[str, str]] = {
        "row_id": "string",
        "caption": "string",
        "right": "bool",
        "maybe": "boolean",
        "rank": "int64",
        "votes": "Int64",
        "score": "float64",
    }
    figures: ClassVar[tuple[str, ...]] = ("bars", "sheet-of-pictures")

    def plot_bars(self) -> Any:
        """Scores <b>by</b> picture."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 2))
        axes = figure.subplots()
        axes.bar(range(len(self.table)), self.table["score"].fillna(0).clip(-1, 1))
        axes.set_xticks(range(len(self.table)), self.table["caption"].fillna("nothing").tolist())
        axes.set_title(f"said: {EVIL} for $5 and $6")
        return figure

    def plot_sheet_of_pictures(self) -> Any:
        """The pictures."""
        from matplotlib.figure import Figure
        from PIL import Image

        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        for name, content in self.pictures.items():
            axes.imshow(Image.open(io.BytesIO(content)))
            axes.set_title(name)
        return figure

    def summary(self) -> str:
        return f"Named {EVIL} right: .50 (.40 to .60, chance .02, n {len(self.table)})."

    def headline(self) -> pd.DataFrame:
        return self.estimates[["system", "value", "low", "high", "chance", "p", "n"]]


@analysis("small-test", title="Is <i>anything</i> small?")
def small_test() -> SmallResult:
    """Make a small result.

    It takes `nothing`.
    """
    return make()


def make(study: str = "limber", **provenance: Any) -> SmallResult:
    n = len(CAPTIONS)
    table = pd.DataFrame(
        {
            "row_id": [f"{EVIL}/{i}.png" for i in range(n)],
            "caption": CAPTIONS,
            "right": [i % 2 == 0 for i in range(n)],
            "maybe": [None if i == 1 else i > 2 for i in range(n)],
            "rank": range(n),
            "votes": [None if i == 3 else 2**60 + i for i in range(n)],
            "score": [0.1, np.nan, np.inf, -0.0, 1 / 3, 1e-300, -1.5, 0.2],
        }
    )
    row = {"study": study, "on": "test", "group": "all", "measure": "right", "against": "chance", "method": "by hand"}
    numbers = {"value": 0.5, "low": 0.4, "high": 0.6, "chance": 0.02, "q": None, "n": n, "n_clusters": 4, "n_seeds": 1}
    estimates = [
        {**row, **numbers, "system": "beit", "p": 0.0001},
        {**row, **numbers, "system": EVIL, "p": 0.2, "n": None},
    ]
    return SmallResult(
        table=table,
        estimates=pd.DataFrame(estimates, columns=list(ESTIMATES)),
        arrays={"x": np.array([[1.0, np.nan]]).T, "scalar": np.array(3), "mask": np.array([True, False])},
        pictures={"a/../<b>.png": png()},
        provenance={"study": study, "seeds": (0, 1), "note": EVIL, **provenance},
    )


def install(monkeypatch: Any) -> None:
    """Put `small-test` among the analyses, as if its package were installed."""
    module = sys.modules["concepttransfer.analysis"]
    real = module.get
    monkeypatch.setattr(module, "get", lambda name: module.spec_of(small_test) if name == "small-test" else real(name))


def png() -> bytes:
    from PIL import Image

    held = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(held, format="PNG")
    return held.getvalue()
