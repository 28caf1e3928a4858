"""The parts of `visual-questions`."""
