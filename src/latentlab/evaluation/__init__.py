"""Metrics: one module per group, each with its functions and the scores they become."""
