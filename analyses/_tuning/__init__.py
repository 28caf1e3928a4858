"""The parts of `tuning`."""
