"""Kinds of models: one module per kind, with its settings and how it is built."""
