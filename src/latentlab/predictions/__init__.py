"""The export of a run."""
