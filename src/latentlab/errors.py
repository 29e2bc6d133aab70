"""The one exception that means: the input is at fault, not the program."""

from typing import final


@final
class LatentlabError(Exception):
    """A bad parameter, file or data set; the message says what was found and what to do.

    Stages print the message without a traceback and exit with status 1.
    """
