"""The parts of `zero-shot`."""
