"""Metrics: one module a group, with the rows that they become."""
