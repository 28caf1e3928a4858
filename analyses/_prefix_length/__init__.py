"""The parts of `prefix-length`."""
