"""Latents: encoding, arrays on disk, statistics, paths, and projections to the plane."""
