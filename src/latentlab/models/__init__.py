"""Models: the base class, layers, losses, one module per kind, registry, and weights."""
