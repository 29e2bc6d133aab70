"""Gaussian mixtures: expectation-maximization, fitting, matching of components to classes."""
