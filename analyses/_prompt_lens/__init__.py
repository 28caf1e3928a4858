"""The parts of `prompt-lens`."""
