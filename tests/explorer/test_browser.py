"""The page in a real browser: each thing that a hand can do changes what it should."""

import csv
import io
import re

import numpy as np
import pytest
import torch

from latentlab.explorer.decoder import decoder_operations
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.pixels import to_unit
from tests.explorer.reading import unpacked
from tools.browser import CHROMIUM, opened, settle

# A browser takes seconds to start, and draws on the CPU here.
pytestmark = pytest.mark.slow

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\"'`&lt;",
    "🙂 日本",
)

DECODE = """async ([model, latents, label]) => {
  explorer.decoding.add(model);
  const images = await explorer.decode(model.name, latents.map(z => Float32Array.from(z)), label);
  return images.map((pixels) => Array.from(pixels));
}"""
# Bytes of a canvas, red alone, as rows.
BYTES = """(selector) => {
  const { width, height } = document.querySelector(selector);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(document.querySelector(selector), 0, 0);
  const drawn = context.getImageData(0, 0, width, height);
  return Array.from(drawn.data).filter((_, i) => i % 4 === 0);
}"""
SCREEN = """([side, row]) => {
  const view = explorer.views[side];
  const { left, top } = view.element.getBoundingClientRect();
  const [x, y] = view.toScreen(view.placeOf(row));
  return [left + x, top + y];
}"""
STATE = """() => {
  const { state } = explorer.store;
  return { ...state, latent: state.latent && Array.from(state.latent) };
}"""


@pytest.fixture
def small(page_of):
    return page_of("vae", "conv_autoencoder")


@pytest.fixture
def page(browser, small):
    with opened(browser, small[0]) as page:
        settle(page)
        yield page


def place_of(page, row, side=0):
    return page.evaluate(SCREEN, [side, row])


def lone_row(page):
    """A row whose point has no other one near it."""
    return page.evaluate("""() => {
      const view = explorer.views[0];
      const rows = [...Array(explorer.run.count).keys()];
      const at = rows.map((row) => view.toScreen(view.placeOf(row)));
      const near = (i) => Math.min(...at.map(([x, y], j) =>
        j === i ? Infinity : Math.hypot(x - at[i][0], y - at[i][1])));
      return rows.reduce((best, row) => (near(row) > near(best) ? row : best), 0);
    }""")


def state(page):
    return page.evaluate(STATE)


def rows_of(download):
    """Rows of a CSV file that the page has saved."""
    return list(csv.DictReader(io.StringIO(download.path().read_bytes().decode(), newline="")))


@pytest.mark.parametrize(
    ("name", "shape", "pixel_range", "changes"),
    [
        ("fcn_autoencoder", (1, 28, 28), "unit", {}),
        ("conv_autoencoder", (1, 28, 28), "unit", {}),
        ("vae", (1, 28, 28), "unit", {}),
        ("conv_vae", (1, 28, 28), "unit", {}),
        ("cvae", (1, 28, 28), "unit", {}),
        ("vade", (1, 28, 28), "unit", {}),
        ("conv_vae", (3, 64, 64), "unit", {}),
        ("conv_autoencoder", (3, 64, 64), "symmetric", {}),
        ("conv_autoencoder", (1, 29, 29), "unit", {"bottleneck": False}),
        *(
            ("conv_autoencoder", (1, 28, 28), "unit", {"decoder_activation": each})
            for each in ("leaky_relu", "gelu", "silu", "tanh", "sigmoid")
        ),
    ],
)
def test_the_page_decodes_as_the_library_does(params, page, name, shape, pixel_range, changes):
    torch.manual_seed(1)
    settings = params.models[name].model_copy(update=changes)
    model = build_model(settings, ModelInputs(shape, 16, pixel_range, 10)).eval()
    with torch.no_grad():
        for each in model.decoder.parameters():
            each.mul_(2)  # as far from gray as trained ones
    latents = torch.randn(100, model.latent_dim)
    labels = torch.full((100,), 3 if model.classes else -1)
    with torch.no_grad():
        expected = to_unit(model.decode(latents, labels).numpy(), pixel_range)
    assert expected.std() > 0.05
    content = {
        "name": "another",
        "decoder": decoder_operations(model, name),
        "classes": model.classes,
        "latent_dim": model.latent_dim,
        "pixel_range": pixel_range,
    }
    found = page.evaluate(DECODE, [content, latents.tolist(), int(labels[0])])
    assert np.abs(np.array(found) - expected.reshape(100, -1)).max() < 1 / 255


def test_hover_shows_the_image_and_what_is_known_of_it(page, small):
    row = lone_row(page)
    assert not page.locator(".tooltip").is_visible()
    page.mouse.move(*place_of(page, row))
    page.locator(".tooltip").wait_for(state="visible")
    settle(page)
    text = page.locator(".tooltip").inner_text()
    assert page.evaluate("(row) => explorer.run.rowName(row)", row) in text
    drawn = page.evaluate(BYTES, ".tooltip canvas")
    assert drawn == image_of(small[1], row).ravel().tolist()
    page.mouse.move(5, 400)
    page.locator(".tooltip").wait_for(state="hidden")


def image_of(content, row):
    """The image of a row, cut out of the sheet."""
    from base64 import b64decode

    from PIL import Image

    sheet = np.array(Image.open(io.BytesIO(b64decode(content["sheet"]["png"]))))
    side, columns = content["image"]["side"], content["sheet"]["columns"]
    down, across = divmod(row, columns)
    return sheet[down * side : (down + 1) * side, across * side : (across + 1) * side]


def test_a_click_selects_and_the_address_says_so(browser, page, small):
    row = lone_row(page)
    page.mouse.move(*place_of(page, row))
    page.mouse.click(*place_of(page, row))
    settle(page)
    assert state(page)["row"] == row
    name = page.evaluate("(row) => explorer.run.rowName(row)", row)
    assert f"row={name.replace(' ', '-')}" in page.url
    panel = page.get_by_role("region", name="Image", exact=True)
    label = int(unpacked(small[1]["rows"]["label"])[row])
    assert name in panel.inner_text()
    if label >= 0:
        assert re.search(rf"class\s+{small[1]['class_names'][label]}", panel.inner_text())
    with opened(browser, small[0], page.url[page.url.index("#") :]) as again:
        assert state(again)["row"] == row


def test_a_lasso_chooses_and_saves(page, small):
    page.keyboard.press("l")
    box = page.locator(".map").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.04)]
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=12)
    page.mouse.up()
    settle(page)
    count = len(unpacked(small[1]["rows"]["label"]))
    assert sorted(state(page)["chosen"]) == list(range(count))
    assert f"{count} images" in page.locator("#chosen").inner_text()
    assert "a: 12" in page.locator("#chosen").inner_text()
    mean = np.mean([image_of(small[1], row) for row in range(count)], axis=0)
    assert np.abs(np.array(page.evaluate(BYTES, "#chosen canvas")) - mean.ravel()).max() <= 1
    with page.expect_download() as saved:
        page.locator("#chosen").get_by_role("button", name="Save as CSV").click()
    rows = rows_of(saved.value)
    assert len(rows) == count
    assert {row["split"] for row in rows} == {"test", "anomalies"}
    assert [row["class"] for row in rows[:4]] == ["a", "b", "c", "d"]


def test_a_walk_on_a_linear_map_decodes_the_lifted_latent(params, open_small, page, small):
    page.get_by_label("Map of vae").select_option("PCA")
    page.keyboard.press("w")
    settle(page)
    before = page.evaluate(BYTES, "#decoded")
    box = page.locator(".map").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    settle(page)
    found = state(page)
    (model,) = (each for each in small[1]["models"] if each["name"] == "vae")
    linear = model["maps"][0]["linear"]
    lifted = unpacked(linear["origin"]) + unpacked(linear["inverse"]) @ found["place"]
    assert np.allclose(found["latent"], lifted, atol=1e-5)
    drawn = np.array(page.evaluate(BYTES, "#decoded"))
    assert not np.array_equal(drawn, before)
    with torch.no_grad():
        latent = torch.tensor([found["latent"]])
        expected = open_small("vae").run.network().decode(latent).numpy().ravel()
    assert np.abs(drawn - 255 * expected).max() <= 1.01


def test_a_walk_from_an_image_keeps_what_the_map_does_not_show(page, small):
    row = 7
    page.evaluate("(row) => explorer.store.set({ row })", row)
    page.get_by_label("Map of vae").select_option("PCA")
    page.keyboard.press("w")
    settle(page)
    x, y = place_of(page, row)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.up()
    latent = unpacked(small[1]["models"][0]["latents"]).astype(np.float32)[row]
    # A pixel of the screen is a small part of the map.
    assert np.abs(np.array(state(page)["latent"]) - latent).max() < 0.2


def test_a_walk_on_another_map_is_between_its_neighbors(page, small):
    page.get_by_label("Map of vae").select_option("t-SNE")
    page.keyboard.press("w")
    settle(page)
    row = lone_row(page)
    page.mouse.move(*place_of(page, row))
    page.mouse.down()
    page.mouse.up()
    latents = unpacked(small[1]["models"][0]["latents"]).astype(np.float32)
    distances = np.linalg.norm(latents - state(page)["latent"], axis=1)
    assert distances.argmin() == row


def test_a_slider_moves_one_dimension(page, small, open_small):
    page.evaluate("() => explorer.store.set({ row: 3 })")
    settle(page)
    latent = unpacked(small[1]["models"][0]["latents"]).astype(np.float32)[3].copy()
    dimension = int(unpacked(small[1]["models"][0]["dimensions"]["order"])[0])
    slider = page.locator(f"#z{dimension}")
    slider.scroll_into_view_if_needed()
    slider.focus()
    page.keyboard.press("End")
    settle(page)
    latent[dimension] = float(slider.get_attribute("max"))
    assert np.allclose(state(page)["latent"], latent, atol=1e-3)
    with torch.no_grad():
        expected = open_small("vae").run.network().decode(torch.tensor(latent)[None]).numpy()
    drawn = np.array(page.evaluate(BYTES, "#decoded"))
    assert np.abs(drawn - 255 * expected.ravel()).max() <= 1.01


def test_another_model_keeps_what_is_chosen(page):
    page.evaluate("() => explorer.store.set({ row: 3, chosen: [1, 2] })")
    before = page.evaluate("() => Array.from(explorer.views[0].map.points)")
    page.get_by_label("Model", exact=True).select_option("conv_autoencoder")
    settle(page)
    found = state(page)
    assert (found["row"], found["chosen"]) == (3, [1, 2])
    assert page.evaluate("() => Array.from(explorer.views[0].map.points)") != before
    assert "model=conv_autoencoder" in page.url


def test_two_models_side_by_side_share_what_is_selected(page):
    page.get_by_label("Model to compare with").select_option("conv_autoencoder")
    settle(page)
    assert page.locator(".map").count() == 2
    row = lone_row(page)
    page.mouse.move(*place_of(page, row))
    page.mouse.click(*place_of(page, row))
    settle(page)
    assert state(page)["row"] == row
    names = page.evaluate("() => explorer.views.map((view) => view.model.name)")
    assert names == ["vae", "conv_autoencoder"]
    page.get_by_label("Model to compare with").select_option("")
    assert page.locator(".map").count() == 1


def test_keys_reach_the_lists_and_their_images(page, small):
    page.keyboard.press("m")
    rows, model = small[1]["rows"], small[1]["models"][0]
    label, predicted = unpacked(rows["label"]), unpacked(model["predicted"])
    wrong = (unpacked(rows["split"]) == 0) & (label != predicted)
    assert page.locator("#list .thumb").count() == wrong.sum()
    page.keyboard.press("n")
    first = state(page)["row"]
    assert wrong[first]
    caption = page.locator("#list .thumb").first.inner_text()
    names = small[1]["class_names"]
    assert caption.strip() == f"{names[label[first]]} → {names[predicted[first]]}"
    page.keyboard.press("a")
    page.keyboard.press("n")
    (scores,) = (each for each in model["values"] if each["name"] == "anomaly_score")
    assert state(page)["row"] == unpacked(scores["values"]).argmax()
    page.keyboard.press("d")
    pair = page.evaluate(
        "() => [...document.querySelectorAll('#list .thumb')].slice(0, 2).map((t) => t.title)"
    )
    latents = unpacked(model["latents"]).astype(float)
    distances = np.linalg.norm(latents[:, None] - latents[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.unravel_index(distances.argmin(), distances.shape)
    expected = {page.evaluate("(row) => explorer.run.rowName(row)", int(row)) for row in nearest}
    assert {title.split(":")[0] for title in pair} == expected


def test_a_label_that_no_neighbor_has_is_doubted(browser, content_of, tmp_path):
    from base64 import b64encode

    from latentlab.explorer.page import page as assembled
    from latentlab.explorer.page import read_assets

    content = content_of("vae", anomalies=0)
    label = unpacked(content["rows"]["label"]).copy()
    neighbors = unpacked(content["models"][0]["neighbors"])
    label[:] = 1
    label[5] = 2
    content["rows"]["label"]["base64"] = b64encode(label.tobytes()).decode()
    path = tmp_path / "explorer.html"
    path.write_text(assembled(content, read_assets()), encoding="utf-8")
    assert neighbors.shape[1] == 10
    with opened(browser, path) as page:
        page.keyboard.press("e")
        assert page.locator("#list .thumb").all_inner_texts() == ["c, not b?"]


def test_the_list_begins_anew_with_another_list(page, small):
    for key in ("m", "n", "n", "n", "a", "n"):
        page.keyboard.press(key)
    (scores,) = (v for v in small[1]["models"][0]["values"] if v["name"] == "anomaly_score")
    assert state(page)["row"] == unpacked(scores["values"]).argmax()


def test_a_class_that_is_called_as_a_row_is_found(browser, page_of):
    path, _ = page_of("vae", class_names=("0", "1", "2", "3"))
    with opened(browser, path) as page:
        search = page.locator("#search")
        search.fill("2")
        search.press("Enter")
        assert state(page)["chosen"] == list(range(2, 48, 4))
        assert state(page)["row"] is None


def test_arrows_pass_by_what_is_not_shown(page, small):
    page.evaluate("() => explorer.store.set({ anomalies: false })")
    settle(page)
    page.locator(".map").focus()
    split = unpacked(small[1]["rows"]["split"])
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowDown") * 3:
        page.keyboard.press(key)
        assert split[state(page)["row"]] == 0


def test_views_that_come_and_go_leave_the_first_one_alive(page):
    for _ in range(18):
        for models in (["vae", "conv_autoencoder"], ["vae"]):
            page.evaluate("(models) => explorer.store.set({ models })", models)
    settle(page)
    lost = "() => explorer.views[0].renderer.regl._gl.isContextLost()"
    assert not page.evaluate(lost)


def test_a_latent_stays_with_its_model(page):
    page.get_by_label("Model to compare with").select_option("conv_autoencoder")
    settle(page)
    page.keyboard.press("w")
    page.locator(".map").nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["latent"] is not None
    page.locator(".map").nth(1).focus()
    assert (state(page)["active"], state(page)["latent"]) == (1, None)


def test_a_decoder_that_fails_holds_up_no_other(page):
    failed = page.evaluate("""() => explorer.decode("none", [new Float32Array(3)])
      .then(() => "decoded", (error) => error.message)""")
    assert failed.startswith("none: ")
    assert page.evaluate("() => explorer.idle")


def test_a_line_that_is_taken_back_stays_away(page):
    page.evaluate("""() => {
      explorer.store.set({ a: 1, b: 2 });
      explorer.store.set({ a: null });
    }""")
    settle(page)
    assert page.locator("#line").count() == 0


def test_without_webgl_lists_work_and_a_line_says_so(browser, small):
    without = browser.browser_type.launch(executable_path=CHROMIUM, args=["--disable-3d-apis"])
    page = without.new_page()
    page.goto(small[0].as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    assert "no WebGL" in page.get_by_role("alert").inner_text()
    assert page.locator("#list .thumb").count() > 0
    page.keyboard.press("n")
    page.wait_for_function("() => explorer.store.state.row !== null")
    without.close()


def test_text_in_a_table_is_no_formula(browser, page_of):
    path, _ = page_of("vae", class_names=("=1+1", "b", "c", "d"))
    with opened(browser, path, "#chosen=test-0") as page:
        with page.expect_download() as saved:
            page.locator("#chosen").get_by_role("button", name="Save as CSV").click()
        assert rows_of(saved.value)[0]["class"] == "'=1+1"


def test_every_color_goes_with_every_map(page, small):
    keys = page.evaluate("""() => [...document.querySelectorAll('[title="Color by"] option')]
      .map((option) => option.value)""")
    assert {"class", "component", "assigned", "correctness", "split", "density"} <= set(keys)
    for key in keys:
        for name in ("PCA", "discriminant", "t-SNE"):
            page.get_by_label("Color by").select_option(key)
            page.get_by_label("Map of vae").select_option(name)
            settle(page)
            shown = page.evaluate("() => explorer.views[0].plot.get('points').map((p) => p[0])")
            points = next(m for m in small[1]["models"][0]["maps"] if m["name"] == name)["points"]
            assert np.abs(np.corrcoef(shown, unpacked(points)[:, 0])[0, 1]) > 0.999


def test_values_are_colored_without_steps(page, small):
    page.get_by_label("Color by").select_option("squared_error")
    settle(page)
    assert (
        page.evaluate("() => new Set(explorer.views[0].plot.get('pointColor').map(String)).size")
        > 100
    )


def test_search_finds_classes_and_rows(page):
    search = page.locator("#search")
    search.fill("test 9")
    search.press("Enter")
    assert state(page)["row"] == 9
    page.locator("#search").fill("B")
    page.locator("#search").press("Enter")
    assert state(page)["chosen"] == list(range(1, 48, 4))
    page.locator("#search").fill("no such class")
    page.locator("#search").press("Enter")
    assert state(page)["chosen"] == list(range(1, 48, 4))


def test_lines_and_sums_are_decoded(page, small, open_small):
    page.evaluate("() => explorer.store.set({ a: 1, b: 2, c: 3 })")
    settle(page)
    assert page.locator("#line canvas").count() == 9
    latents = torch.tensor(unpacked(small[1]["models"][0]["latents"]).astype(np.float32).copy())
    network = open_small("vae").run.network()
    with torch.no_grad():
        middle, total = network.decode(
            torch.stack([(latents[1] + latents[2]) / 2, latents[1] - latents[2] + latents[3]])
        ).numpy()
    drawn = np.array(page.evaluate(BYTES, "#line canvas:nth-child(5)"))
    assert np.abs(drawn - 255 * middle.ravel()).max() <= 1.01
    drawn = np.array(page.evaluate(BYTES, "#sum > canvas:nth-of-type(4)"))
    assert np.abs(drawn - 255 * total.ravel()).max() <= 1.01


def test_more_like_this_draws_from_the_component(page, small, open_small):
    page.evaluate("() => explorer.store.set({ row: 3 })")
    page.keyboard.press("s")
    settle(page)
    assert page.locator("#samples canvas").count() == 12
    model = small[1]["models"][0]
    latents = unpacked(model["mixture"]["draws"])[unpacked(model["component"])[3]]
    with torch.no_grad():
        expected = open_small("vae").run.network().decode(torch.tensor(latents[:2])).numpy()
    for index in range(2):
        drawn = page.evaluate(BYTES, f"#samples canvas:nth-child({index + 1})")
        assert np.abs(np.array(drawn) - 255 * expected[index].ravel()).max() <= 1.01
    first = page.evaluate(BYTES, "#samples canvas")
    page.keyboard.press("s")
    settle(page)
    assert page.evaluate(BYTES, "#samples canvas") != first


def test_names_are_text(browser, page_of):
    path, _ = page_of("vae", class_names=HOSTILE)
    with opened(browser, path, "#color=class") as page:
        legend = page.locator(".legend").inner_text()
        for name in HOSTILE:
            assert name in legend
        page.evaluate("() => explorer.store.set({ row: 1, chosen: [0, 1, 2, 3] })")
        settle(page)
        assert HOSTILE[1] in page.get_by_role("region", name="Image", exact=True).inner_text()
        assert page.locator("script").count() == 3
        assert page.locator("img").count() == 0
        with page.expect_download() as saved:
            page.locator("#chosen").get_by_role("button", name="Save as CSV").click()
        rows = rows_of(saved.value)
        assert [row["class"] for row in rows] == list(HOSTILE)


@pytest.mark.parametrize(
    "fragment",
    [
        "#model=<b>&map=none&color=what&row=test-99999&z=1,2&list=x&mode=y&theme=z",
        "#%",
        "#chosen=,,",
    ],
)
def test_a_fragment_that_names_nothing_has_no_effect(browser, small, fragment):
    with opened(browser, small[0], fragment) as page:
        assert state(page)["models"] == ["vae"]
        assert state(page)["row"] is None


def test_the_whole_state_is_in_the_address(browser, page, small):
    page.evaluate("""() => explorer.store.set({
      maps: ["PCA", "PCA"], color: "component", row: 5, a: 1, b: 2, c: 50, list: "duplicates",
      chosen: [4, 50], theme: "dark", mode: "lasso", anomalies: false, centers: false,
      latent: Float32Array.from([0.25, -1.5, 3]),
    })""")
    before = state(page)
    with opened(browser, small[0], page.url[page.url.index("#") :]) as again:
        after = state(again)
    for key in (
        "models",
        "color",
        "row",
        "a",
        "b",
        "c",
        "list",
        "chosen",
        "theme",
        "mode",
        "anomalies",
        "centers",
        "latent",
    ):
        assert after[key] == before[key], key
    assert after["maps"][0] == "PCA"


@pytest.mark.parametrize(
    "changes", [{"dimensions": 1}, {"dimensions": 2}, {"anomalies": 0}, {"class_names": ()}]
)
def test_odd_runs_open(browser, page_of, changes):
    path, _ = page_of("vae", **changes)
    with opened(browser, path, "#row=test-1") as page:
        for key in (
            "w",
            "ArrowRight",
            "m",
            "n",
            "v",
            "ArrowLeft",
            "c",
            "0",
            "t",
            "Escape",
            "a",
            "n",
        ):
            page.keyboard.press(key)
        settle(page)
        assert state(page)["row"] is not None


def test_fingers_select_move_and_zoom(browser, small):
    with opened(
        browser, small[0], viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True
    ) as page:
        settle(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
        row = lone_row(page)
        page.touchscreen.tap(*place_of(page, row))
        settle(page)
        assert state(page)["row"] == row
        before = place_of(page, row)
        page.evaluate("""() => {
          const canvas = explorer.views[0].canvas;
          const { left, top } = canvas.getBoundingClientRect();
          const touch = (identifier, x, y) => new Touch({
            identifier, target: canvas, clientX: left + x, clientY: top + y });
          const send = (type, ...touches) => canvas.dispatchEvent(new TouchEvent(
            type, { touches, changedTouches: touches, cancelable: true, bubbles: true }));
          send("touchstart", touch(0, 100, 100));
          send("touchmove", touch(0, 140, 120));
          send("touchend");
        }""")
        settle(page)
        moved = np.subtract(place_of(page, row), before)
        assert np.allclose(moved, [40, 20], atol=2)


def test_keys_work_without_a_mouse(page):
    page.locator(".map").focus()
    page.keyboard.press("ArrowRight")
    first = state(page)["row"]
    assert first is not None
    page.keyboard.press("ArrowUp")
    second = state(page)["row"]
    places = page.evaluate(
        "(rows) => rows.map((row) => explorer.views[0].placeOf(row))", [first, second]
    )
    assert places[1][1] > places[0][1]
    assert page.locator("[aria-live]").inner_text() != ""
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert state(page)["row"] is None
