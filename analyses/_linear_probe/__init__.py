"""The parts of `linear-probe`."""
