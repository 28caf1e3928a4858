"""Data sets: sources, licences, checksums, splits and the tables of their classes; never pictures."""
