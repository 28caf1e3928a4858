"""The parts of `modality-gap`."""
