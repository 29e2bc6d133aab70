"""What a change does: params, figures, curves and pictures of two revisions side by side.

Reads git alone, so it works offline and in a clone without data.
"""

import html
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import quote

import pandas as pd
import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from latentlab.errors import cut, printable
from latentlab.evaluation.scores import HEADLINE, HIGHER_IS_BETTER, readable
from tools import run
from tools.comparable import Note, differences
from tools.explorers import PAGE, Link, link
from tools.noise import SEEDS, read_noise
from tools.pictures import curves, models_drawn, page_pictures, pictures_changed
from tools.revision import LONGEST, WORKSPACE, Revision, git, merge_base

ROOT = Path(__file__).resolve().parents[1]

BETTER, WORSE, NOISE, OTHER = "▲", "▼", "≈", "△"
# Names in a line.
NAMED = 8
OTHERWISE = str.maketrans("`|", "'¦")
LEGEND = (
    f"{BETTER} better, {WORSE} worse, "
    f"{NOISE} within noise (the 95 % confidence intervals overlap), "
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
    """Headline figures of both, metrics down and models across, each cell a ``Change``.

    Models that are gone have no column. No cell is marked where the revisions differ in images or
    protocol.
    """
    before, after, noise = _scores(base), _scores(head), read_noise(base)
    metrics = [f"{group}.{metric}" for group, names in HEADLINE.items() for metric in names]
    models = list(dict.fromkeys(model for model, _ in after.index))
    marked = not differences(base, head)
    table = pd.DataFrame(
        {
            model: [
                _change(
                    metric,
                    _row(before, model, metric),
                    _row(after, model, metric),
                    marked=marked,
                    margin=noise.margin(model, metric) if noise else None,
                )
                for metric in metrics
            ]
            for model in models
        },
        index=metrics,
        dtype=object,
    )
    return table[[any(cell.text for cell in row) for row in table.to_numpy()]]


def notes(base: Revision, head: Revision) -> list[Note]:
    """What to know before figures are compared: of images, protocol and models that are gone."""
    found = differences(base, head)
    before, after = (
        {model for model, _ in _scores(each).index} | models_drawn(each) for each in (base, head)
    )
    gone = sorted(before - after)
    if gone:
        found.append(Note("Models that are gone, with their figures and pictures", gone))
    return found


def markdown(
    base: Revision, head: Revision, repository: str | None, explorers: Sequence[Link] = ()
) -> str:
    """The report as a comment: tables, and links to the pictures where a repository is given."""
    params, table = params_changed(base, head), figures(base, head)
    parts = ["## What this change does", f"`{_short(base)}` → `{_short(head)}`"]
    parts += [
        "### Params",
        _markdown_table(params.map(_literal)) if len(params) else "No param changed.",
    ]
    parts.append("### Figures on test images")
    parts += [
        f"{text}: {', '.join(map(_literal, _few(names)))}" for text, names in notes(base, head)
    ]
    if len(table):
        cells = table.map(lambda cell: cell.text).rename(columns=_literal)
        parts += [_markdown_table(cells.reset_index(names="metric")), LEGEND]
        if noise := read_noise(base):
            seeds = noise.table(table).rename(columns=_literal).reset_index(names="metric")
            shown = f"<details><summary>{noise.title}</summary>\n\n{_markdown_table(seeds)}"
            parts += [noise.legend, f"{shown}\n\n</details>"]
    else:
        parts.append("There are none in either revision.")
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
    if explorers:
        links = [f'<a href="{html.escape(each.address)}">{each.text}</a>' for each in explorers]
        parts += ["### Explorers", " · ".join(links)]
    return "\n\n".join(parts) + "\n"


def page(base: Revision, head: Revision, explorers: Sequence[Link] = ()) -> str:
    """The report as one HTML file that asks for nothing from outside."""
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
        noise=read_noise(base),
        classes={BETTER: "better", WORSE: "worse"},
        legend=LEGEND,
        curves=Markup(curves(base, head)),
        notes=[
            f"{text}: {', '.join(cut(printable(name), LONGEST) for name in _few(names))}"
            for text, names in notes(base, head)
        ],
        pictures=page_pictures(base, head),
        explorers=explorers,
    )


def _few(names: list[str]) -> list[str]:
    """The first of many names, and how many more there are."""
    return names if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"]


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


def _change(
    metric: str,
    before: pd.Series | None,
    after: pd.Series | None,
    *,
    marked: bool = True,
    margin: float | None = None,
) -> Change:
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
    if not marked:
        return Change(f"{new} (before {old})", "")
    within = margin is not None and abs(new - old) <= margin
    mark = SEEDS if within else _verdict(metric, new - old, before, after)
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


def main(
    base: Annotated[str, typer.Option(help="The revision to compare with.")] = "main",
    head: Annotated[str, typer.Option(help="The revision to look at.")] = WORKSPACE,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Written.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Written.")] = None,
    repository: Annotated[str | None, typer.Option(help="Its address, for pictures.")] = None,
    explorer_before: Annotated[str, typer.Option(help="Where the base's explorer is.")] = "",
    explorer_after: Annotated[str, typer.Option(help="Where the explorer is.")] = "",
) -> None:
    """Compare the merge base of two revisions with the second, as Markdown and as HTML."""
    tip = "HEAD" if head == WORKSPACE else head
    common = merge_base(ROOT, base, tip)
    before, after = Revision(ROOT, common), Revision(ROOT, head)
    if head == WORKSPACE and not explorer_after and (ROOT / PAGE).exists():
        explorer_after = PAGE
    given = {"before": explorer_before, "after": explorer_after}
    explorers = [link(text, address) for text, address in given.items() if address]
    text = markdown(before, after, repository, explorers)
    if markdown_file:
        markdown_file.write_text(text, encoding="utf-8")
    if html_file:
        html_file.write_text(page(before, after, explorers), encoding="utf-8")
    if not markdown_file:
        print(text)


if __name__ == "__main__":
    run(partial(typer.run, main))
