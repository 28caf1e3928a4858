"""The parts of `runoff`."""
