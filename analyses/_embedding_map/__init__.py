"""The parts of `embedding-map`."""
