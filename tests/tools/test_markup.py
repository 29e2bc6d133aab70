"""What comes from data is never markup: pages are parsed as a browser does, comments as GitHub."""

import csv
import json
import re
import subprocess

import html5lib
import numpy as np
import pytest
import vl_convert
from dvc_render import VegaRenderer, render_html
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image
from ruamel.yaml import YAML

from latentlab.figures.tables import in_page
from tests.checkout import commit, copy_of_checkout, shell
from tests.conftest import ROOT
from tools.report import _literal, markdown, page
from tools.revision import Revision

HOSTILE = (
    "<!--<script>", "<!--", "--!>", "<script>alert(1)</script>", "</script>", "</td></table>",
    "<img src=x onerror=alert(1)>", "\"><b id='x'>", "`<b>`", "``<b>", "|<b>|", "\\|<b>", "\\`<b>",
    "@all", "[a](javascript:alert(1))", "![a](http://x.example)", "<http://x.example>",
    "&lt;b&gt;", "]]>", "<![CDATA[", "<style>", "<title>", "<plaintext>", "a\n\n<b>", "a\r<b>",
    "* a", "---", "$\\frac$", "_x", "x" * 20_000, "\u2028<b>",
)  # fmt: skip
names = st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8"), min_size=1)
TEMPLATES = ROOT / ".dvc/plots"
PAGE = (ROOT / ".dvc/plots_page.html").read_text()
# The drawing library is most of the page and the same in every one.
SMALL = re.sub(r"<script>.*?</script>", "<script>'library'</script>", PAGE, flags=re.DOTALL)
TABLE = ("table", "thead", "tbody", "tr", "th", "td")
COMMENT = MarkdownIt("commonmark").enable("table")


def elements(text):
    """Elements of a page by tag."""
    found = {}
    for element in html5lib.parse(text, namespaceHTMLElements=False).iter():
        # Elements of a drawing have the namespace of drawings, and comments have no tag.
        found.setdefault(str(element.tag).split("}")[-1], []).append(element)
    return found


def plot_of(rows, name="plot"):
    """The confusion matrix as `dvc plots` draws it."""
    return VegaRenderer(
        rows, name, template="confusion", x="predicted", y="actual", template_dir=TEMPLATES
    )


def row_of(actual, predicted):
    names = {"actual": in_page(actual), "predicted": in_page(predicted)}
    return {"model": "m", "images": "3", "share": "1", "rev": "workspace"} | names


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names, names)
@example("<!--<script>", "</script>")
def test_a_class_of_any_name_leaves_the_page_of_plots_whole(tmp_path_factory, first, second):
    folder = tmp_path_factory.getbasetemp() / "plots_page"
    plots = [plot_of([row_of(first, second)], name) for name in ("first", "last")]
    render_html(plots, folder / "p.html", SMALL)
    found = elements((folder / "p.html").read_text(encoding="utf-8"))
    assert [div.get("id") for div in found["div"]] == ["first", "last"]
    assert len(found["script"]) == 3
    spec = re.search(r"var spec = (.*);\n", found["script"][1].text)[1]
    (row,) = json.loads(spec)["data"]["values"]
    assert (row["actual"], row["predicted"]) == (in_page(first), in_page(second))


def test_the_plots_show_the_names_themselves():
    odd = ["<!--<script>", "a\\b", "\\u003c", "\\u005cu003c", "back\\", "R&D", 'q"', "none"]
    spec = plot_of([row_of(name, predicted) for name in odd for predicted in (*odd, "")])
    text = vl_convert.vegalite_to_svg(spec.get_filled_template())
    shown = [text_of(element) for element in elements(text)["text"]]
    assert all(shown.count(name) == 2 for name in odd)
    assert shown.count("no class") == 1


def text_of(element):
    return "".join(element.itertext())


@given(names)
def test_a_literal_is_code_and_nothing_else_also_in_a_table(name):
    code = _literal(name)
    (shown,) = elements(COMMENT.render(f"before {code} after"))["code"]
    found = elements(COMMENT.render(f"|a|b|\n|-|-|\n|{code}|last|\n"))
    assert [text_of(cell) for cell in found["td"]] == [text_of(shown), "last"]
    assert set(found) <= {"html", "head", "body", *TABLE, "code"}
    if name.isalnum() and len(name) < 80:
        assert text_of(shown) == name


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Two commits whose models, params, pictures and curves have hostile names."""
    folder = tmp_path_factory.mktemp("hostile") / "a 'folder'"
    pictures = folder / "plots/images/vae"
    pictures.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    for number, shade in enumerate((10, 20)):
        params = {"name": {name: f"{number}{name}" for name in HOSTILE}}
        YAML(typ="safe", pure=True).dump(params, folder / "params.yaml")
        for path, columns, row in (
            ("scores", "model group metric value low high", ["anomaly", "auroc", shade, 0, 1]),
            ("curves", "model split term epoch loss", ["train", "total", 1, shade]),
        ):
            with (folder / f"plots/{path}.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns.split())
                writer.writerows([name, *row] for name in HOSTILE)
        for name in filter(is_file_name, HOSTILE):
            image = Image.fromarray(np.full((4, 4), shade, np.uint8))
            image.save(pictures / f"{name}.png")
        commit(folder, f"Commit {number}")
    return folder


def is_file_name(name):
    return "/" not in name and len(name) < 250


PICTURES = sum(map(is_file_name, HOSTILE))


def revisions(folder):
    heads = ["git", "rev-parse", "HEAD~1", "HEAD"]
    listed = subprocess.run(heads, cwd=folder, capture_output=True, text=True, check=True)
    return [Revision(folder, name) for name in listed.stdout.split()]


@pytest.mark.parametrize("repository", ["https://example.org/ada/lab", None])
def test_a_comment_shows_hostile_names_and_holds_no_markup_of_them(repository, hostile):
    text = markdown(*revisions(hostile), repository)
    found = elements(COMMENT.render(text))
    headings = [text_of(heading) for heading in found["h3"]]
    assert headings == ["Params", "Figures on test images", "Pictures"]
    assert not set(found) & {"script", "style", "title", "b", "a", "plaintext", "hr", "ul"}
    rows = 1 + len(HOSTILE) + 2  # params; figures: the models and one metric
    assert len(found["tr"]) == rows + (1 + PICTURES if repository else 0)
    images = found.get("img", [])
    assert len(images) == (2 * PICTURES if repository else 0)
    for image in images:
        assert set(image.keys()) == {"src", "width"}
        assert re.match(r"https://example\.org/ada/lab/blob/\w{40}/plots/", image.get("src"))
    assert len(text) < 65_536, "a comment has no room for more"


def test_the_page_of_the_report_shows_hostile_names_and_ends_where_it_should(hostile):
    found = elements(page(*revisions(hostile)))
    assert not set(found) & {"script", "b", "a", "plaintext"}
    assert len(found["title"]) == 1
    assert [text_of(heading) for heading in found["h2"]][-1] == "Pictures"
    assert len(found["h3"]) == PICTURES
    assert len(found["img"]) == 2 * PICTURES
    assert all(set(image.keys()) == {"alt", "src"} for image in found["img"])
    assert len(found["svg"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", [["show"], ["diff", "HEAD~1", "HEAD"]])
def test_dvc_draws_a_whole_page_of_hostile_classes(command, tmp_path, environment):
    folder = tmp_path / "clone"
    copy_of_checkout(folder)
    for name, columns in (("confusion", ("actual", "predicted")), ("latents", ("class",))):
        with (folder / f"plots/{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row.update({column: in_page(HOSTILE[int(row[column])]) for column in columns})
        with (folder / f"plots/{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    commit(folder, "Call classes otherwise")
    ran = shell("dvc", "plots", *command, "-o", "drawn", cwd=folder, environment=environment)
    assert ran.returncode == 0, ran.stderr
    found = elements((folder / "drawn/index.html").read_text())
    plots = list(TEMPLATES.glob("*.json"))
    assert len(found["script"]) == 1 + len(plots)
    assert len(found["div"]) > len(plots)
    assert len(found["img"]) > 20
