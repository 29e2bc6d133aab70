"""The page: content, script and style in one HTML file that asks for nothing else."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from latentlab.errors import LatentlabError

# Built of the folder `explorer` at the root of the repository.
ASSET = Path(__file__).parent / "asset"
REMEDY = "restore it from git, or build it again in the folder explorer"
# Scripts may be those of the page alone, and nothing is loaded from anywhere. The library that
# draws the points writes functions while it runs, which is called 'unsafe-eval'.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data: blob:"
)
# What would end an element, or begin a comment in it, as escapes of JSON.
# A browser reads no script of half a gigabyte, and people wait for none.
MOST_MEGABYTES = 300
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="app"></div>
<noscript>This page shows a run with JavaScript, which it brings along: allow it to run.</noscript>
<script type="text/plain" id="licenses">{licenses}</script>
<script type="application/json" id="run">{content}</script>
<script>{script}</script>
</body>
</html>
"""


class Assets(NamedTuple):
    """What the page is made of beside its content.

    Attributes:
        script: JavaScript.
        style: CSS.
        licenses: Plain text, of the libraries that are in the script.
    """

    script: str
    style: str
    licenses: str


def read_assets(folder: Path = ASSET) -> Assets:
    """Read the script and the style of the page.

    Args:
        folder: With ``explorer.js``, ``explorer.css`` and ``LICENSES.txt``.

    Raises:
        LatentlabError: If one is missing, or holds text that would end its element.
    """
    return Assets(
        _read(folder / "explorer.js", "</script", "<!--"),
        _read(folder / "explorer.css", "</style"),
        _read(folder / "LICENSES.txt", "</script", "<!--"),
    )


def page(content: Mapping[str, Any], assets: Assets) -> str:
    """The page as text.

    Args:
        content: What ``run_content`` returns.
        assets: Script and style.

    Raises:
        ValueError: If a number of the content is not finite.
        LatentlabError: If the page would be too large for a browser.
    """
    written = as_json(content)
    megabytes = len(written) / 1e6
    if megabytes > MOST_MEGABYTES:
        raise LatentlabError(
            f"explorer: the page would have {megabytes:,.0f} MB, allowed: {MOST_MEGABYTES}; lower "
            "explorer.points, or leave the models with the largest decoders out of run_models"
        )
    return PAGE.format(
        policy=POLICY,
        title=html.escape(f"{content['dataset']} · latentlab explorer"),
        style=assets.style,
        licenses=assets.licenses,
        content=written,
        script=assets.script,
    )


def as_json(content: Mapping[str, Any]) -> str:
    r"""JSON in ASCII that can stand in an element of HTML, whatever its text says.

    Args:
        content: Mappings, lists, text and finite numbers.

    Raises:
        ValueError: If a number is not finite.

    Example:
        >>> print(as_json({"name": "</script>", "format": 1}))
        {"format":1,"name":"\u003c/script\u003e"}
    """
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.translate(ESCAPES)


def _read(path: Path, *refused: str) -> str:
    """Text of a file in which some words must not stand."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise LatentlabError(f"{path}: not readable ({reason}); {REMEDY}") from error
    for word in refused:
        if word in text.lower():
            raise LatentlabError(f"{path}: holds {word}, which ends its element; {REMEDY}")
    return text
