"""Training: the loop, optimizers and schedulers, and the loss history."""
