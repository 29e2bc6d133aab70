"""Data sets: raw files in, labelled images out, one module a data set."""
