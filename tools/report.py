"""What a change does: params, figures, curves and pictures of two revisions side by side.

Reads git alone, so it works offline and in a clone without data.
"""

import base64
import html
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, final

import pandas as pd
import typer
from matplotlib.figure import Figure
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.evaluation.scores import HEADLINE, HIGHER_IS_BETTER, readable
from tools.nested import flat

ROOT = Path(__file__).resolve().parents[1]

WORKSPACE = "workspace"
BETTER, WORSE, NOISE, OTHER = "▲", "▼", "≈", "△"
LEGEND = (
    f"{BETTER} better, {WORSE} worse, {NOISE} within noise (the 95 % intervals overlap), "
    f"{OTHER} changed where no way is better or no interval is known to tell"
)


@final
@dataclass(frozen=True)
class Revision:
    """The files of a commit, or of the workspace.

    Attributes:
        root: Of the repository.
        name: What git knows it by, or ``workspace``.
    """

    root: Path
    name: str

    def read(self, path: str) -> bytes | None:
        """Content of a file; ``None`` where there is none."""
        if self.name == WORKSPACE:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        found = _git(self.root, "show", f"{self.name}:{path}", check=False)
        return found.stdout if found.returncode == 0 else None

    def files(self, folder: str) -> set[str]:
        """Paths below a folder, from the repository's root."""
        if self.name == WORKSPACE:
            found = (self.root / folder).rglob("*")
            return {str(path.relative_to(self.root)) for path in found if path.is_file()}
        listed = _git(self.root, "ls-tree", "-r", "-z", "--name-only", self.name, "--", folder)
        return {name for name in listed.stdout.decode().split("\0") if name}

    def params(self) -> dict[str, str]:
        """Values of params.yaml as text under their dotted keys."""
        content = self.read("params.yaml")
        try:
            values = YAML(typ="safe", pure=True).load(content) if content else {}
        except (YAMLError, ValueError) as error:
            sys.exit(f"error: params.yaml of {self.name} is not valid YAML: {error}")
        known = flat(values if isinstance(values, dict) else {})
        return {key: "(empty)" if value is None else str(value) for key, value in known.items()}

    def table(self, path: str, *columns: str) -> pd.DataFrame:
        """A CSV file; empty, with these columns, where there is none."""
        content = self.read(path)
        frame = pd.read_csv(io.BytesIO(content)) if content else pd.DataFrame()
        return frame.reindex(columns=[*columns, *(c for c in frame if c not in columns)])


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
        cells = table.map(lambda cell: cell.text).reset_index(names="metric")
        parts += ["### Figures on test images", _markdown_table(cells), LEGEND]
    else:
        parts += ["### Figures on test images", "There are none in either revision."]
    changed = pictures_changed(base, head)
    parts.append("### Pictures")
    if not changed:
        parts.append("No picture changed.")
    elif repository and WORKSPACE not in (base.name, head.name):
        rows = [
            (f"`{path.removeprefix('plots/images/')}`", *_links(path, repository, base, head))
            for path in changed
        ]
        shown = _markdown_table(pd.DataFrame(rows, columns=["picture", "before", "after"]))
        parts.append(
            f"<details><summary>{len(changed)} changed</summary>\n\n{shown}\n\n</details>"
        )
    else:
        names = [path.removeprefix("plots/images/") for path in changed]
        parts.append(f"{len(changed)} changed: " + ", ".join(f"`{name}`" for name in names))
    return "\n\n".join(parts) + "\n"


def page(base: Revision, head: Revision) -> str:
    """The report as one HTML file that asks for nothing from outside."""
    params, table = params_changed(base, head), figures(base, head)
    parts = [
        f"<p><code>{_short(base)}</code> → <code>{_short(head)}</code></p>",
        "<h2>Params</h2>",
    ]
    parts.append(_html_table(params.to_numpy().tolist(), list(params)) if len(params) else NOTHING)
    parts.append("<h2>Figures on test images</h2>")
    if len(table):
        rows = [[metric, *row] for metric, row in zip(table.index, table.to_numpy(), strict=True)]
        parts += [_html_table(rows, ["metric", *table]), f"<p class='legend'>{LEGEND}</p>"]
    else:
        parts.append(NOTHING)
    parts += ["<h2>Learning curves</h2>", _curves(base, head), "<h2>Pictures</h2>"]
    changed = pictures_changed(base, head)
    for path in changed:
        sides = "".join(
            f"<figure><figcaption>{side}</figcaption>{_image(revision.read(path))}</figure>"
            for side, revision in (("before", base), ("after", head))
        )
        name = html.escape(path.removeprefix("plots/images/"))
        parts.append(f"<h3>{name}</h3><div class='pair'>{sides}</div>")
    if not changed:
        parts.append(NOTHING)
    return PAGE.replace("CONTENT", "\n".join(parts))


NOTHING = "<p>Nothing changed.</p>"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>latentlab: what this change does</title>
<link rel="icon" href="data:,">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 1200px;
       padding: 1rem; }
h2 { border-bottom: 1px solid #ddd; margin-top: 2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #eee; padding: 0.25rem 0.8rem 0.25rem 0; text-align: left;
         white-space: nowrap; }
.better { color: #0b6e3b; } .worse { color: #b42318; } .legend { color: #555; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
figure { margin: 0; border: 1px solid #ddd; text-align: center; }
figcaption { color: #555; }
img, svg { max-width: 100%; height: auto; }
@media (max-width: 700px) { .pair { grid-template-columns: 1fr; } }
</style>
</head>
<body>
<h1>What this change does</h1>
CONTENT
</body>
</html>
"""


def _git(root: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"error: git {' '.join(words)}: {done.stderr.decode().strip()}")
    return done


def _short(revision: Revision) -> str:
    if revision.name == WORKSPACE:
        return WORKSPACE
    return _git(revision.root, "rev-parse", "--short=7", revision.name).stdout.decode().strip()


def _scores(revision: Revision) -> pd.DataFrame:
    """Every figure by model and ``group.metric``: value, low, high."""
    columns = ("model", "group", "metric", "value", "low", "high")
    table = revision.table("plots/scores.csv", *columns)
    table["name"] = table["group"].astype(str) + "." + table["metric"].astype(str)
    return table.set_index(["model", "name"])[["value", "low", "high"]].drop(
        "reference", level=0, errors="ignore"
    )


def _row(scores: pd.DataFrame, model: str, metric: str) -> pd.Series | None:
    return scores.loc[(model, metric)] if (model, metric) in scores.index else None


def _change(metric: str, before: pd.Series | None, after: pd.Series | None) -> Change:
    if before is None and after is None:
        return Change("", "")
    if before is None or after is None:
        only = after if before is None else before
        assert only is not None
        told = "new" if before is None else "gone"
        return Change(f"{readable(only['value'])} ({told})", OTHER)
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
    cells = table.map(lambda value: str(value).replace("|", "\\|"))
    return cells.to_markdown(index=False, disable_numparse=True)


def _literal(value: str) -> str:
    """Text that a comment shows as it is: no mention, no link, no picture."""
    return "`" + " ".join(value.replace("`", "'").split()) + "`"


def _links(path: str, repository: str, base: Revision, head: Revision) -> list[str]:
    links = []
    for revision in (base, head):
        address = f"{repository}/blob/{_full(revision)}/{path}?raw=true"
        there = revision.read(path) is not None
        links.append(f'<img src="{address}" width="380">' if there else "-")
    return links


def _full(revision: Revision) -> str:
    return _git(revision.root, "rev-parse", revision.name).stdout.decode().strip()


def _html_table(rows: list[list[Any]], header: list[str]) -> str:
    classes = {BETTER: "better", WORSE: "worse"}

    def cell(value: Any) -> str:
        if isinstance(value, Change):
            return f"<td class='{classes.get(value.mark, '')}'>{html.escape(value.text)}</td>"
        return f"<td>{html.escape(str(value))}</td>"

    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<div class='wide'><table><tr>{head}</tr>{body}</table></div>"


def _image(content: bytes | None) -> str:
    if content is None:
        return "<p>not there</p>"
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(content).decode()}'>"


def _curves(base: Revision, head: Revision) -> str:
    """Total loss of every model in both revisions, as an SVG picture."""
    columns = ("model", "split", "term", "epoch", "loss")
    tables = [revision.table("plots/curves.csv", *columns) for revision in (base, head)]
    models = list(dict.fromkeys(name for table in tables for name in table["model"].dropna()))
    if not models:
        return NOTHING
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
        axes.set_title(model, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.set_ylabel("total loss an image")
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
    common = _git(ROOT, "merge-base", base, tip).stdout.decode().strip()
    before, after = Revision(ROOT, common), Revision(ROOT, head)
    text = markdown(before, after, repository)
    if markdown_file:
        markdown_file.write_text(text, encoding="utf-8")
    if html_file:
        html_file.write_text(page(before, after), encoding="utf-8")
    if not markdown_file:
        print(text)


if __name__ == "__main__":
    typer.run(main)
