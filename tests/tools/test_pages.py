"""The two pages that people read, opened in a real browser as wide as a desk and a phone."""

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.checkout import commit, copy_of_checkout, shell
from tests.conftest import ROOT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium to open pages in (apt: chromium)"),
]
TEMPLATES = len(list((ROOT / ".dvc/plots").glob("*.json")))
# No window is as narrow as a phone, but a frame is; it tells the page around it what it shows.
TELL = """<script>
const tell = () => parent.postMessage(JSON.stringify({
    window: innerWidth,
    content: document.documentElement.scrollWidth,
    plots: document.querySelectorAll(".marks").length,
    pictures: [...document.images].filter((image) => image.naturalWidth > 1).length,
    words: document.body.innerText,
}), "*")
addEventListener("load", () => setTimeout(tell, 3000))
</script>"""
FRAME = """<meta charset="utf-8">
<iframe src="{}" style="width: {}px; height: 900px; border: 0"></iframe>
<script>addEventListener("message", (told) => {{ document.title = told.data }})</script>"""


class Opened(NamedTuple):
    """What became of a page."""

    told: dict[str, Any]
    console: list[str]
    requests: list[str]


def opened(page: Path, width: int, scratch: Path) -> Opened:
    """Open a copy of a page in a frame of that many pixels, beside the page for what it loads."""
    copy, frame = page.with_name(f"told_{page.name}"), page.with_name(f"frame_{page.name}")
    copy.write_text(page.read_text() + TELL)
    frame.write_text(FRAME.format(copy.name, width))
    log = scratch / "requests.json"
    ran = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--no-first-run",
            f"--user-data-dir={scratch / 'profile'}",
            "--enable-logging=stderr",
            f"--log-net-log={log}",
            "--window-size=1400,1000",
            "--virtual-time-budget=20000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    title = ran.stdout.split("<title>")[1].split("</title>")[0]
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return Opened(
        json.loads(html.unescape(title)),
        [line for line in ran.stderr.splitlines() if ":CONSOLE:" in line],
        # What the browser asks of its own accord has no origin; that of a file is null.
        [event["url"] for event in events if event.get("initiator") == "null"],
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory, environment):
    """The report of a change, and the page of `dvc plots diff` for the same."""
    clone = tmp_path_factory.mktemp("pages") / "clone"
    copy_of_checkout(clone)
    for name, column in (("curves", "loss"), ("scores", "value")):
        table = pd.read_csv(clone / f"plots/{name}.csv")
        table[column] *= 1.05
        table.to_csv(clone / f"plots/{name}.csv", index=False)
    picture = clone / "plots/images/vae/samples_prior.png"
    picture.write_bytes((picture.parent / "samples_mixture.png").read_bytes())
    params = clone / "params.yaml"
    params.write_text(params.read_text().replace("latent_dim: 16", "latent_dim: 48"))
    commit(clone, "Try more dimensions")
    for command in (
        ["make", "report", "BASE=HEAD~1"],
        ["dvc", "plots", "diff", "HEAD~1", "HEAD", "-o", "drawn"],
    ):
        ran = shell(*command, cwd=clone, environment=environment)
        assert ran.returncode == 0, ran.stderr
    return {"report": clone / "report.html", "plots": clone / "drawn/index.html"}


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("page", ["report", "plots"])
def test_a_page_draws_everything_complains_of_nothing_and_asks_nobody(
    pages, page, width, tmp_path
):
    found = opened(pages[page], width, tmp_path)
    assert found.console == []
    assert found.requests == []
    assert found.told["window"] == width
    assert found.told["content"] <= width, "wider than the window"
    if page == "plots":
        assert found.told["plots"] == TEMPLATES
    else:
        assert "latent_dim" in found.told["words"]
        assert found.told["pictures"] == 2


def test_what_a_bad_page_does_is_noticed(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<body><div style='width: 2000px'>wide</div><img src='http://example.org/picture.png'>"
        "<script>nowhere()</script>"
    )
    found = opened(page, 400, tmp_path)
    assert "nowhere is not defined" in found.console[0]
    assert found.requests == ["http://example.org/picture.png"]
    assert found.told["window"] == 400
    assert found.told["content"] >= 2000
    assert found.told["pictures"] == 0
