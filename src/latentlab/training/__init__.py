"""The training loop, the same for every model."""
