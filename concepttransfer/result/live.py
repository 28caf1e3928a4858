"""A view that answers to the reader's hand, for the report: markup and scripts that need nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Live:
    """What a Result's `live()` gives the page, beside its figures.

    The page allows the scripts by their hashes and forbids everything else: no `eval`, no inline handler, no request.
    What comes from data must be escaped in both.

    Attributes:
        caption: what it shows, n and chance in it, and what the reader can do.
        markup: HTML that the scripts fill.
        scripts: the text of each script, in order; one that several results share is put into the page once.
    """

    caption: str
    markup: str
    scripts: tuple[str, ...] = ()
