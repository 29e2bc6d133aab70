"""Nested mappings, such as params and metrics, as flat ones."""

from typing import Any


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value under its keys joined by dots.

    Example:
        >>> flat({"a": 1, "b": {"c": None}})
        {'a': 1, 'b.c': None}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
