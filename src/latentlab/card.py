"""The model card of a bundle, ``README.md``: front matter as the Hub reads it, then Markdown.

References:
    Mitchell et al., Model Cards for Model Reporting (2019). https://arxiv.org/abs/1810.03993
    Hugging Face, Model Cards. https://huggingface.co/docs/hub/model-cards
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

from latentlab.arrays import Split
from latentlab.bundle.config import BundleConfig
from latentlab.errors import cut, printable
from latentlab.evaluation.catalog import METRICS
from latentlab.evaluation.metric import Score
from latentlab.evaluation.scores import HEADLINE, readable

CARD = "README.md"
# Letters of a class name, and classes, that the card shows.
NAME_LETTERS = 40
CLASSES = 20
# What Markdown and HTML would read as markup.
MARKUP = "\\`*_{}[]<>()#+-.!|~&$"
NOTES = {key: metric.description for metric in METRICS for key in (metric.key,)}


def model_card(
    config: BundleConfig,
    scores: Sequence[Score],
    *,
    counts: Mapping[Split, int],
    pictures: Sequence[str],
) -> str:
    """The text of the card.

    Args:
        config: Of the bundle.
        scores: Of the model on the test set; the headline metrics are shown.
        counts: Number of images in each split.
        pictures: Files beside the card.
    """
    chosen = [score for score in scores if score.metric in HEADLINE.get(score.group, ())]
    parts = [
        f"---\n{_front_matter(config, chosen)}---",
        f"# {escaped(config.name)}",
        _summary(config, counts),
        "## Use\n\n```python\nimport latentlab\n\n"
        'model = latentlab.load("path/to/this/folder")\n'
        "predictions = model.predict(images)  # arrays, Pillow images or paths\n```\n\n"
        "```console\n$ latentlab predict path/to/this/folder photos/ --out prediction.csv\n```",
        _metrics(chosen),
        *([_pictures(pictures)] if pictures else []),
        _training(config),
        _limits(config),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    r"""Text that Markdown shows letter by letter, on one line and cut.

    Example:
        >>> print(escaped("<b> *x*"))
        \<b\> \*x\*
    """
    line = printable(cut(" ".join(text.split()), NAME_LETTERS))
    return "".join(f"\\{letter}" if letter in MARKUP else letter for letter in line)


def _front_matter(config: BundleConfig, scores: Sequence[Score]) -> str:
    dataset = str(config.training["dataset"])
    metrics = [
        {"type": score.metric, "name": f"{score.group}.{score.metric}", "value": score.value}
        for score in scores
    ]
    content: dict[str, Any] = {
        "library_name": "latentlab",
        "license": "mit",
        "tags": [
            "latentlab",
            "variational-autoencoder" if config.model.is_variational else "autoencoder",
            "gaussian-mixture",
            "anomaly-detection",
        ],
        "datasets": [dataset],
        "model-index": [
            {
                "name": config.name,
                "results": [
                    {
                        "task": {"type": "image-feature-extraction"},
                        "dataset": {"type": dataset, "name": dataset, "split": "test"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def _summary(config: BundleConfig, counts: Mapping[Split, int]) -> str:
    channels, height, width = config.shape
    kind = "variational autoencoder" if config.model.is_variational else "autoencoder"
    images = ", ".join(f"{count:,} {escaped(name)}" for name, count in counts.items())
    names = [escaped(name) for name in config.class_names[:CLASSES]]
    if len(config.class_names) > CLASSES:
        names.append(f"and {len(config.class_names) - CLASSES} more")
    classes = f" Classes: {', '.join(names)}." if names else " The data set has no classes."
    return (
        f"An image {kind} (`{config.model.kind}`) with {config.latent_dim} latent dimensions for "
        f"{'gray' if channels == 1 else 'color'} images of {height}x{width} pixels, a Gaussian "
        "mixture of its latents, and an anomaly detector. Trained with "
        f"latentlab {config.library_version} on "
        f"`{config.training['dataset']}` ({images}).{classes}"
    )


def _metrics(scores: Sequence[Score]) -> str:
    rows = [
        f"| `{score.group}.{score.metric}` | {readable(score.value)} | {_interval(score)} | "
        f"{NOTES.get(f'{score.group}.{score.metric}', '')} |"
        for score in scores
    ]
    head = "| metric | value | 95 % interval | what it is |\n|---|---|---|---|"
    return "\n".join(["## Metrics\n\nOn test images.\n", head, *rows])


def _interval(score: Score) -> str:
    if score.low is None or score.high is None or score.low != score.low:
        return ""
    return f"{readable(score.low)} to {readable(score.high)}"


def _pictures(files: Sequence[str]) -> str:
    return "\n\n".join(["## Pictures", *(f"![{escaped(file)}]({file})" for file in files)])


def _training(config: BundleConfig) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(
        dict(config.training) | {"models": {config.name: config.model.model_dump(mode="json")}},
        stream,
    )
    return (
        "## Make it again\n\nIn a checkout of latentlab "
        f"{config.library_version} whose `params.yaml` has these values:\n\n"
        f"```console\n$ dvc repro bundle\n```\n\n```yaml\n{stream.getvalue()}```"
    )


def _limits(config: BundleConfig) -> str:
    return (
        "## Limits\n\n"
        "- It knows images like those that it was trained on. Other images are resized to its "
        "shape and get a component, a class and a score all the same; a high `anomaly_score` is "
        "the only warning.\n"
        "- The mixture is fitted without labels, and its components follow classes only as far as "
        "the latents do.\n"
        "- The threshold comes from few validation images: `anomaly_score` above 1 is expected "
        "of some normal images too."
    )
