"""What a change does: params, figures, curves and pictures of two revisions side by side.

Reads git alone, so it works offline and in a clone without data.
"""

import base64
import html
import io
import os
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

import pandas as pd
import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from latentlab.errors import LatentlabError, cut, printable, quoted
from latentlab.evaluation.scores import HEADLINE, HIGHER_IS_BETTER, readable
from latentlab.figures.style import as_text
from tools import reason, run
from tools.revision import LONGEST, WORKSPACE, Revision, git

ROOT = Path(__file__).resolve().parents[1]

BETTER, WORSE, NOISE, OTHER = "▲", "▼", "≈", "△"
OTHERWISE = str.maketrans("`|", "'¦")
LEGEND = (
    f"{BETTER} better, {WORSE} worse, {NOISE} within noise (the 95 % intervals overlap), "
    f"{OTHER} changed where no way is better or no interval is known to tell"
)


class Change(NamedTuple):
    """One figure before and after, as a cell of the table."""

    text: str
    mark: str


def params_changed(base: Revision, head: Revision) -> pd.DataFrame:
    """Params that differ: param, before, after."""
    before, after = base.params(), head.params()
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    rows = [(key, before.get(key, "-"), after.get(key, "-")) for key in keys]
    return pd.DataFrame(rows, columns=["param", "before", "after"])


def figures(base: Revision, head: Revision) -> pd.DataFrame:
    """Headline figures of both, metrics down and models across, each cell a ``Change``."""
    before, after = _scores(base), _scores(head)
    metrics = [f"{group}.{metric}" for group, names in HEADLINE.items() for metric in names]
    models = list(dict.fromkeys([model for model, _ in [*after.index, *before.index]]))
    table = pd.DataFrame(
        {
            model: [
                _change(metric, _row(before, model, metric), _row(after, model, metric))
                for metric in metrics
            ]
            for model in models
        },
        index=metrics,
        dtype=object,
    )
    return table[[any(cell.text for cell in row) for row in table.to_numpy()]]


def pictures_changed(base: Revision, head: Revision) -> list[str]:
    """Pictures whose bytes differ, or that only one revision has."""
    paths = sorted(base.files("plots/images") | head.files("plots/images"))
    return [path for path in paths if base.read(path) != head.read(path)]


def markdown(base: Revision, head: Revision, repository: str | None) -> str:
    """The report as a comment: tables, and links to the pictures where a repository is given."""
    params, table = params_changed(base, head), figures(base, head)
    parts = ["## What this change does", f"`{_short(base)}` → `{_short(head)}`"]
    parts += [
        "### Params",
        _markdown_table(params.map(_literal)) if len(params) else "No param changed.",
    ]
    if len(table):
        cells = table.map(lambda cell: cell.text).rename(columns=_literal)
        cells = cells.reset_index(names="metric")
        parts += ["### Figures on test images", _markdown_table(cells), LEGEND]
    else:
        parts += ["### Figures on test images", "There are none in either revision."]
    changed = pictures_changed(base, head)
    parts.append("### Pictures")
    if not changed:
        parts.append("No picture changed.")
    elif repository and WORKSPACE not in (base.name, head.name):
        rows = [
            (_literal(path.removeprefix("plots/images/")), *_links(path, repository, base, head))
            for path in changed
        ]
        shown = _markdown_table(pd.DataFrame(rows, columns=["picture", "before", "after"]))
        parts.append(
            f"<details><summary>{len(changed)} changed</summary>\n\n{shown}\n\n</details>"
        )
    else:
        names = [path.removeprefix("plots/images/") for path in changed]
        parts.append(f"{len(changed)} changed: " + ", ".join(map(_literal, names)))
    return "\n\n".join(parts) + "\n"


def page(base: Revision, head: Revision) -> str:
    """The report as one HTML file that asks for nothing from outside."""
    pictures = [
        {
            "name": printable(path.removeprefix("plots/images/")),
            "sides": [("before", _base64(base.read(path))), ("after", _base64(head.read(path)))],
        }
        for path in pictures_changed(base, head)
    ]
    # Text is escaped by the template; only the drawing is markup.
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    template = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "report.html.j2"
    )
    return template.render(
        base=_short(base),
        head=_short(head),
        params=params_changed(base, head),
        metrics=figures(base, head),
        classes={BETTER: "better", WORSE: "worse"},
        legend=LEGEND,
        curves=Markup(_curves(base, head)),
        pictures=pictures,
    )


def _short(revision: Revision) -> str:
    if revision.name == WORKSPACE:
        return WORKSPACE
    return git(revision.root, "rev-parse", "--short=7", revision.name).stdout.decode().strip()


def _scores(revision: Revision) -> pd.DataFrame:
    """Every figure by model and ``group.metric``: value, low, high."""
    columns = ("model", "group", "metric", "value", "low", "high")
    table = revision.table("plots/scores.csv", *columns, text=columns[:3])
    table["name"] = table["group"] + "." + table["metric"]
    # Of a metric that a damaged file lists twice, the first counts.
    return (
        table[table["model"] != "reference"]
        .drop_duplicates(["model", "name"])
        .set_index(["model", "name"])[["value", "low", "high"]]
    )


def _row(scores: pd.DataFrame, model: str, metric: str) -> pd.Series | None:
    return scores.loc[(model, metric)] if (model, metric) in scores.index else None


def _change(metric: str, before: pd.Series | None, after: pd.Series | None) -> Change:
    if before is None and after is None:
        return Change("", "")
    if before is None or after is None:
        only = after if before is None else before
        assert only is not None
        state = "new" if before is None else "gone"
        return Change(f"{readable(only['value'])} ({state})", OTHER)
    old, new = readable(before["value"]), readable(after["value"])
    if old == new:
        return Change(f"{new}", "")
    mark = _verdict(metric, new - old, before, after)
    return Change(f"{new} ({readable(new - old):+} {mark})", mark)


def _verdict(metric: str, difference: float, before: pd.Series, after: pd.Series) -> str:
    if metric not in HIGHER_IS_BETTER or before.isna().any() or after.isna().any():
        return OTHER
    if before["low"] <= after["high"] and after["low"] <= before["high"]:
        return NOISE
    return BETTER if (difference > 0) == HIGHER_IS_BETTER[metric] else WORSE


def _markdown_table(table: pd.DataFrame) -> str:
    return table.to_markdown(index=False, disable_numparse=True)


def _literal(value: str) -> str:
    """Text that a comment shows as it is: no mention, no link, no picture.

    Nothing ends a span of code or a cell but a backtick or a bar, so these are written otherwise.
    """
    shown = printable(" ".join(cut(value, LONGEST).split())).translate(OTHERWISE)
    return f"`{shown or ' '}`"


def _links(path: str, repository: str, base: Revision, head: Revision) -> list[str]:
    links = []
    for revision in (base, head):
        # A name may hold anything, a quotation mark that ends the attribute too.
        name = quote(os.fsencode(path))
        address = html.escape(f"{repository}/blob/{_full(revision)}/{name}?raw=true")
        there = revision.read(path) is not None
        links.append(f'<img src="{address}" width="380">' if there else "-")
    return links


def _full(revision: Revision) -> str:
    return git(revision.root, "rev-parse", revision.name).stdout.decode().strip()


def _base64(content: bytes | None) -> str:
    """A picture for a data address; empty where there is none."""
    return base64.b64encode(content).decode() if content else ""


def _curves(base: Revision, head: Revision) -> str:
    """Total loss of every model in both revisions, as an SVG picture."""
    columns = ("model", "split", "term", "epoch", "loss")
    tables = [
        revision.table("plots/curves.csv", *columns, text=columns[:3]) for revision in (base, head)
    ]
    models = list(dict.fromkeys(name for table in tables for name in table["model"]))
    if not models:
        return ""
    rows = -(-len(models) // 2)
    figure = Figure(figsize=(10, 2.6 * rows), layout="constrained")
    for axes, model in zip(figure.subplots(rows, 2, squeeze=False).ravel(), models, strict=False):
        for table, shade, width, name in zip(
            tables, ("#e76300", "#3f90da"), (3.0, 1.3), ("before", "after"), strict=True
        ):
            total = table[(table["model"] == model) & (table["term"] == "total")]
            for split, style in (("train", "-"), ("validation", "--")):
                curve = total[total["split"] == split]
                label = f"{name}, {split}"
                axes.plot(curve["epoch"], curve["loss"], style, color=shade, lw=width, label=label)
        axes.set_title(as_text(model), fontsize="medium")
        axes.set_xlabel("epoch")
        axes.set_ylabel("total loss per image")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in figure.axes[len(models) :]:
        axes.remove()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def main(
    base: Annotated[str, typer.Option(help="The revision to compare with.")] = "main",
    head: Annotated[str, typer.Option(help="The revision to look at.")] = WORKSPACE,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Written.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Written.")] = None,
    repository: Annotated[str | None, typer.Option(help="Its address, for pictures.")] = None,
) -> None:
    """Compare the merge base of two revisions with the second, as Markdown and as HTML."""
    tip = "HEAD" if head == WORKSPACE else head
    found = git(ROOT, "merge-base", "--end-of-options", base, tip, check=False)
    if found.returncode:
        raise LatentlabError(
            f"{quoted(base)} and {quoted(tip)} have no commit in common ({reason(found)}); name "
            "another --base or --head, or fetch the whole history"
        )
    common = found.stdout.decode().strip()
    before, after = Revision(ROOT, common), Revision(ROOT, head)
    text = markdown(before, after, repository)
    if markdown_file:
        markdown_file.write_text(text, encoding="utf-8")
    if html_file:
        html_file.write_text(page(before, after), encoding="utf-8")
    if not markdown_file:
        print(text)


if __name__ == "__main__":
    run(partial(typer.run, main))
