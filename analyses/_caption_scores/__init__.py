"""The parts of `caption-scores`."""
