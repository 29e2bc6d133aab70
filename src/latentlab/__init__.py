"""Reproducible experiments on latent-variable image models."""

__version__ = "0.2.0"
