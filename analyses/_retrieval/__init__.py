"""The parts of `retrieval`."""
