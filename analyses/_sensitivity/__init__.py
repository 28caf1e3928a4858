"""The parts of `sensitivity`."""
