"""Encoders: one library a file, found by the prefix of a model's name."""
