"""Write the pictures of the explorer into ``docs/``, from the page that the pipeline has made.

Run as ``python -m tools.screenshots`` (``make screenshots``).
"""

from functools import partial
from pathlib import Path

import typer

from latentlab.errors import LatentlabError
from tools import run
from tools.browser import chromium, opened, settle

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "data/explorer.html"
# Name of the file, fragment of the address, and how the window is.
PICTURES = {
    "explorer.png": ("#model=vae&map=discriminant&anomalies=0&row=test-3", "light"),
    "explorer_dark.png": (
        "#model=vae&map=t-SNE&compare=conv_vae&map2=t-SNE&anomalies=0&row=test-40"
        "&a=test-3&b=test-9",
        "dark",
    ),
}


def main() -> None:
    """Open the page in a window of 1280 x 800, and keep what it shows."""
    if not PAGE.exists():
        raise LatentlabError(f"{PAGE.relative_to(ROOT)} is missing; run `dvc repro` first")
    with chromium() as browser:
        for name, (fragment, scheme) in PICTURES.items():
            with opened(browser, PAGE, fragment, color_scheme=scheme) as page:
                settle(page)
                page.screenshot(path=ROOT / "docs" / name)


if __name__ == "__main__":
    run(partial(typer.run, main))
