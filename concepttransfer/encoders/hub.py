"""Building through libraries: what to say when weights cannot be had, and what the libraries need not say."""

from __future__ import annotations

import contextlib
import logging
import textwrap
from collections.abc import Iterator

from ..errors import ConceptTransferError, MissingResourceError


@contextlib.contextmanager
def downloading(model: str) -> Iterator[None]:
    """Turn a library's failure to find or download weights into one line that says what to do.

    Raises:
        MissingResourceError: the block failed for want of a file or a network.
    """
    try:
        with quietly(logging.ERROR):  # open_clip logs a failure before it raises it
            yield
    except ConceptTransferError:
        raise
    except (OSError, RuntimeError) as error:
        if not _is_absence(error):
            raise
        reason = textwrap.shorten(str(error).strip().split("\n")[0], 160, placeholder=" ...")
        message = (
            f"`{model}` is not on this machine and could not be downloaded ({type(error).__name__}: {reason}). "
            "Give the command once with a network (and without HF_HUB_OFFLINE), "
            "or copy its files here and name them with `weights: FILE` or `model: hf:FOLDER`."
        )
        raise MissingResourceError(message) from error


@contextlib.contextmanager
def quietly(level: int = logging.WARNING) -> Iterator[None]:
    """Hold back libraries' messages up to a level: that random weights are random, or a head was not loaded."""
    before = logging.root.manager.disable
    logging.disable(max(before, level))
    try:
        yield
    finally:
        logging.disable(before)


def _is_absence(error: BaseException | None) -> bool:
    """Did a file or the network fail, here or in what caused it? Shape mismatches and the like are no absence."""
    while error is not None:
        text = str(error).lower()
        if isinstance(error, OSError) or "download" in text or "offline" in text or "connect" in text:
            return True
        error = error.__cause__ or error.__context__
    return False
