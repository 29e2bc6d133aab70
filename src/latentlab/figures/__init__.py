"""Pictures and long tables of a run."""
