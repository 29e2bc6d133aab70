"""A class may be called whatever a folder may be called."""

import csv
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure

from latentlab.figures import confusion, latent_maps, reconstructions, samples, tables, traversals
from latentlab.figures.dataset import training_images
from latentlab.figures.style import NAME_LETTERS, as_text
from latentlab.tables import write_table

ODD = (
    "images", "actual", "predicted", "share", "model", "none", "no class", "nan", "NA", "7", "007",
    "$", "$$", "$\\frac$", "\\$x$", "$x_", "_", "_nolegend_", "__", "%", "%s", "{}", "{x:g}", "\\",
    "x" * 255, "W" * 45, "$" * 60, "\\" * 60, "a\rb", "a\nb", "\t", " ", '"', "a,b", "\x1b[31m",
    "<!--<script>", "</script>", "&lt;", "\\u003c", "日本", "\u202eabc", "\u0301", "é",
)  # fmt: skip
names = st.sampled_from(ODD) | st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=255
)
# The fixture is a function without a state of its own.
ANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pairs = st.lists(names, min_size=2, max_size=2, unique=True)


def cells(path, column):
    """A column of a CSV file as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file)]


def from_page(cell):
    """What the template of a plot shows of a cell."""
    return cell.replace(r"\u003c", "<").replace(r"\u005c", "\\")


@given(names)
def test_a_name_is_drawn_letter_by_letter_and_stays_short(name):
    text = as_text(name)
    assert not is_math_text(text)
    axes = Figure().subplots()
    axes.plot([0], [0], label=text)
    assert axes.get_legend_handles_labels()[1] == [text]
    shown = text.replace(r"\$", "$").removeprefix("\u200b")
    assert len(shown) <= NAME_LETTERS
    assert shown.isprintable()
    if name.isascii() and name.isprintable() and len(name) <= NAME_LETTERS:
        assert shown == name


def test_ordinary_names_are_drawn_as_they_are():
    for name in ("7", "cat", "T-shirt/top", "Ankle boot", "élan", "a b", "10-20 %"):
        assert as_text(name) == name


@settings(ANY, max_examples=8)
@given(pairs)
@example(["images", "actual"])
@example(["none", "predicted"])
@example(["$\\frac$", "_"])
@example(["x" * 255, "W" * 45])
def test_pictures_of_classes_are_drawn_with_any_name(context_of, pair):
    context = context_of("m", class_names=tuple(pair))
    drawn = [
        confusion.confusion(context),
        latent_maps.latents(context),
        traversals.arithmetic(context),
        samples.samples_mixture(context),
        training_images(context.run.splits["train"], pair, "folder", context.settings),
    ]
    for figure in drawn:
        figure.draw_without_rendering()
        width, height = figure.axes[0].get_window_extent().size
        assert min(width, height) > 50, "no room is left"


@settings(ANY)
@given(pairs)
@example(["images", "actual"])
@example(["none", "predicted"])
@example(["a\rb", "\\u003c"])
def test_tables_hold_every_name_in_cells(context_of, tmp_path_factory, pair):
    folder = tmp_path_factory.getbasetemp()
    context = context_of("m", class_names=tuple(pair))
    written = {"confusion": tables.confusion([context]), "latents": tables.latents([context])}
    for name, table in written.items():
        write_table(folder / f"{name}.csv", table)
    first, second = pair
    path = folder / "confusion.csv"
    assert list(map(from_page, cells(path, "actual"))) == [first, second, first, second, first]
    assert list(map(from_page, cells(path, "predicted"))) == [first, first, second, second, ""]
    assert cells(path, "images") == ["20", "0", "3", "24", "1"]
    labels = context.run.splits["test"].labels
    found = list(map(from_page, cells(folder / "latents.csv", "class")))
    assert found == [pair[label] for label in labels]
    for path in (folder / "confusion.csv", folder / "latents.csv"):
        assert "<" not in path.read_text()


@pytest.mark.parametrize("pair", [("$\\frac$", "x" * 255), ("_", "<!--<script>")])
def test_every_picture_of_a_model_is_drawn_with_hostile_names(context_of, pair):
    context = context_of("m", class_names=pair)
    context = replace(context, settings=context.settings.model_copy(update={"tsne_points": 20}))
    subjects = (confusion, latent_maps, reconstructions, samples, traversals)
    drawn = {
        figure.name: figure.draw(context)
        for subject in subjects
        for figure in subject.FIGURES
        if figure.applies(context)
    }
    for figure in drawn.values():
        figure.draw_without_rendering()
    legend = drawn["pca_and_tsne"].legends[0]
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == [as_text(name) for name in pair]
