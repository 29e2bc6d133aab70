"""The version of the library, for modules that need nothing else of the package."""

__version__ = "0.3.0"
