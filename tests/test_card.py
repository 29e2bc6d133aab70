import re

import pytest
import yaml
from markdown_it import MarkdownIt

from latentlab.bundle.config import read_config
from latentlab.card import model_card
from latentlab.evaluation.metric import Score

SCORES = [
    Score("reconstruction", "mse", 0.00123456, 0.001, 0.002),
    Score("clustering", "accuracy", 0.9, 0.85, 0.95),
    Score("clustering", "nmi", 0.5),
]
HOSTILE = ("<script>alert(1)</script>", "a|b", "![x](http://x)", "`code`", "x" * 500, "two\nlines")


@pytest.fixture
def card(make_bundle):
    def made(**changes):
        config = read_config(make_bundle(**changes) / "config.json")
        return model_card(
            config, SCORES, counts={"train": 36, "test": 12}, pictures=["latents.png"]
        )

    return made


def test_the_front_matter_is_what_the_hub_reads(card):
    _, front, body = card().split("---\n", 2)
    content = yaml.safe_load(front)
    assert content["library_name"] == "latentlab"
    assert content["license"] == "mit"
    (result,) = content["model-index"][0]["results"]
    assert result["dataset"]["name"] == "digits"
    metrics = {each["name"]: each["value"] for each in result["metrics"]}
    assert metrics == {"reconstruction.mse": 0.00123456, "clustering.accuracy": 0.9}
    assert body.lstrip().startswith("# vae")


def test_the_card_has_metrics_with_intervals_pictures_and_the_way_back(card):
    text = card()
    assert "| `clustering.accuracy` | 0.9 | 0.85 to 0.95 |" in text
    assert "clustering.nmi" not in text
    assert "](latents.png)" in text
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    again = yaml.safe_load(block)
    assert again["models"]["vae"]["kind"] == "vae"
    assert again["dataset"] == "digits"


def test_names_of_classes_are_no_markup(card):
    names = HOSTILE[:4]
    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(card(class_names=names).split("---\n", 2)[2])
    )
    assert "<script" not in html
    assert "<img" not in html.replace('<img src="latents.png"', "")
    assert "<code>code" not in html
