"""A result in a notebook: its answer, its main numbers and n, as HTML in which nothing runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import Result

MOST_ROWS = 30


def shown(result: Result) -> str:
    """A few kilobytes, whatever the size of the result; texts are escaped."""
    import pandas as pd

    frame = result.headline()
    n = result.estimates["n"].dropna()
    counted = f", n = {int(n.max()):,}" if len(n) else ""
    more = f"<p>The first {MOST_ROWS} of {len(frame)} rows.</p>" if len(frame) > MOST_ROWS else ""
    with pd.option_context("display.max_colwidth", 80):
        table = frame.head(MOST_ROWS).to_html(index=False, border=0, na_rep="–", float_format=lambda v: f"{v:.3g}")
    figures = ", ".join(f"<code>plot({name!r})</code>" for name in result.figures)
    return (
        f"<div><p><b>{escape(result.kind)}</b> of study {escape(result.study)}{counted}</p>"
        f"<p>{escape(result.answer())}</p>{table}{more}"
        + (f"<p>Figures: {figures}. Claims: <code>estimates</code>. Rows: <code>table</code>.</p></div>")
    )
