"""The parts of `robustness`."""
