"""Reproducible experiments on latent-variable image models."""
