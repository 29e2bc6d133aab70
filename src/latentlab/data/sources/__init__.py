"""Data sets: raw files in, labeled images out, one module a data set."""
