"""Reproducible experiments on latent-variable image models."""

__version__ = "0.3.0"
