"""The parts of `similarity`."""
