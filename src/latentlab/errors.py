"""The exception for errors of the input: parameters, files and data sets."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import final


@final
class LatentlabError(Exception):
    """A bad parameter, file or data set; the message says what was found and what to do.

    Stages print the message without a traceback and exit with status 1.
    """


def choices(name: str, allowed: Iterable[str]) -> str:
    """Text that lists the allowed names, with the closest one as a suggestion.

    Example:
        >>> choices("vea", ["vae", "conv_vae"])
        "known: vae, conv_vae; did you mean 'vae'?"
    """
    names = list(allowed)
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"known: {', '.join(names)}{hint}"
