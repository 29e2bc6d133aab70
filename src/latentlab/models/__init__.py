"""Models: one abstract base, one final class a file, networks as functions."""
