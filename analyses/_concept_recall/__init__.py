"""The parts of `concept-recall`."""
