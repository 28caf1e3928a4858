"""The parts of `awa-errors`."""
