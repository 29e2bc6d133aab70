"""Kinds of models: one module a kind, with its settings and how it is built."""
