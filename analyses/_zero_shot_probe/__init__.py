"""The parts of `zero-shot-probe`."""
