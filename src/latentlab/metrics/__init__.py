"""Measures: pure functions on arrays, each with its range and direction."""
