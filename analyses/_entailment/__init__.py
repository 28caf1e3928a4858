"""The parts of `entailment`."""
