"""The exception for errors of the input: parameters, files and data sets."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, final

# Characters of a value, and names of a list, that a message shows.
LONGEST = 80
LISTED = 40


@final
class LatentlabError(Exception):
    """A bad parameter, file or data set; the message says what was found and what to do.

    Stages print the message without a traceback and exit with status 1.
    """


def cut(text: str, length: int = LONGEST) -> str:
    """Text of at most so many characters; of a longer one the start and the end remain.

    Args:
        text: Any text.
        length: Number of characters, 3 or more.

    Example:
        >>> cut("a name that is long", 9), cut("short", 9)
        ('a nam…ong', 'short')
    """
    if len(text) <= length:
        return text
    end = (length - 1) * 2 // 5
    return f"{text[: length - 1 - end]}…{text[-end:] if end else ''}"


def printable(text: str) -> str:
    r"""Text with line breaks and other control characters written as escapes.

    Example:
        >>> print(printable("two\nlines"))
        two\nlines
    """
    escape = "unicode_escape"
    return "".join(c if c.isprintable() else c.encode(escape).decode() for c in text)


def quoted(value: Any) -> str:
    """A value as Python writes it, cut to one short line, for the message of an error.

    Example:
        >>> quoted("0" * 1000)
        "'00000000000000000000000000000000000000000000000…000000000000000000000000000000'"
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        text = "a number of thousands of digits"
    return cut(text)


def choices(name: str, allowed: Iterable[str]) -> str:
    """Text that lists the allowed names, with the closest one as a suggestion.

    Example:
        >>> choices("vea", ["vae", "conv_vae"])
        "known: vae, conv_vae; did you mean 'vae'?"
    """
    names = list(allowed)
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {quoted(close[0])}?" if close else ""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    listed = ", ".join(cut(printable(each)) for each in names[:LISTED])
    return f"known: {listed}{more}{hint}"


# What to do about an error of the operating system; several share a remedy.
_SPACE = "free some space on that disk"
_PERMISSION = "give this user the permission, or choose another folder"
_IN_THE_WAY = "a file stands where a folder belongs, or a folder where a file does: move it away"
_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or use another file system",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "mount it writable, or choose another folder",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENAMETOOLONG: "choose shorter names",
    errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
    errno.ENOMEM: "free some memory",
}


def explain(error: OSError) -> str:
    """One line about an error of the operating system: path, reason, remedy.

    Example:
        >>> explain(OSError(errno.ENOSPC, "No space left on device", "models/history.csv"))
        'models/history.csv: No space left on device; free some space on that disk, then run ...'
    """
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    place = "" if error.filename is None else f"{printable(str(error.filename))}: "
    remedy = _REMEDIES.get(error.errno or 0, "check the path and the disk")
    return f"{place}{reason}; {remedy}, then run the command again"
