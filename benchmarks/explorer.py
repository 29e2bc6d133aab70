"""Frames per second of the explorer with 10,000 points, in a headless browser.

Chromium draws WebGL on the CPU here, which is the slowest way there is; a graphics card is faster.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from latentlab.explorer.packing import as_text, packed
from latentlab.explorer.page import page, read_assets
from latentlab.explorer.rows import image_sheet
from tools.browser import chromium, opened, settle

POINTS = 10_000
DIMENSIONS = 16
SIDE = 28
SECONDS = 5
# Moves the map, or zooms in and out, before every frame, and counts the frames that are drawn.
MEASURE = """([what, seconds]) => new Promise((resolve) => {
  const { plot } = explorer.views[0];
  const camera = plot.get("camera");
  let drawn = 0;
  const counting = plot.subscribe("draw", () => { drawn += 1; });
  const start = performance.now();
  const step = (now) => {
    const angle = (now - start) / 300;
    if (what === "pan") camera.pan([0.01 * Math.cos(angle), 0.01 * Math.sin(angle)]);
    else camera.scale(1 + 0.02 * Math.cos(angle), [0, 0]);
    plot.redraw();
    if (now - start < 1000 * seconds) return requestAnimationFrame(step);
    plot.unsubscribe(counting);
    resolve(drawn / ((now - start) / 1000));
  };
  requestAnimationFrame(step);
})"""


def table() -> pd.DataFrame:
    """Frames per second while the map moves and while it zooms.

    Returns:
        Columns window, movement, frames_per_second.
    """
    found = []
    with TemporaryDirectory() as name, chromium() as browser:
        path = Path(name) / "explorer.html"
        path.write_text(page(_content(), read_assets()), encoding="utf-8")
        for width, height in ((1280, 800), (1920, 1080)):
            size = {"width": width, "height": height}
            with opened(browser, path, viewport=size) as shown:
                settle(shown)
                for what in ("pan", "zoom"):
                    frames = shown.evaluate(MEASURE, [what, SECONDS])
                    found.append((f"{width}x{height}", what, frames))
    return pd.DataFrame(found, columns=["window", "movement", "frames_per_second"])


def _content() -> dict[str, object]:
    """A page of random points, images and one model whose decoder is a single layer."""
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(POINTS, DIMENSIONS))
    images = rng.integers(0, 256, (POINTS, 1, SIDE, SIDE), dtype=np.uint8)
    columns = round(POINTS**0.5)
    labels = rng.integers(0, 10, POINTS)
    score = {"name": "anomaly_score", "label": "score", "values": packed(latents[:, 0], "float32")}
    numbers = {
        "latents": latents,
        "nearest_distance": np.ones(POINTS),
        "means": np.zeros((10, DIMENSIONS)),
        "draws": np.zeros((10, 1, DIMENSIONS)),
        "weights": np.full(10, 0.1),
    }
    floats = {key: packed(value, "float32") for key, value in numbers.items()}
    flat = packed(np.zeros(DIMENSIONS), "float32")
    mixture = {key: floats[key] for key in ("weights", "means", "draws")}
    model = {
        "name": "random",
        "kind": "vae",
        "is_variational": True,
        "latent_dim": DIMENSIONS,
        "pixel_range": "unit",
        "classes": 0,
        "latents": floats["latents"],
        "component": packed(labels, "int16"),
        "predicted": packed(labels, "int16"),
        "values": [score],
        "neighbors": packed(rng.integers(0, POINTS, (POINTS, 10)), "int32"),
        "nearest_distance": floats["nearest_distance"],
        "maps": [
            {
                "name": "t-SNE",
                "axes": ["t-SNE 1", "t-SNE 2"],
                "points": packed(latents[:, :2], "float32"),
                "linear": None,
                "means": None,
                "covariances": None,
            }
        ],
        "mixture": mixture | {"classes": packed(np.arange(10), "int16")},
        "dimensions": {
            "by": "variance",
            "order": packed(np.arange(DIMENSIONS), "int32"),
            "value": flat,
            "mean": flat,
            "std": flat,
        },
        "decoder": [
            {
                "op": "linear",
                "weight": packed(rng.normal(size=(SIDE * SIDE, DIMENSIONS)), "float16"),
                "bias": packed(np.zeros(SIDE * SIDE), "float32"),
            },
            {"op": "reshape", "shape": [1, SIDE, SIDE]},
            {"op": "sigmoid"},
        ],
    }
    return {
        "format": 1,
        "version": "0",
        "dataset": "random",
        "class_names": [str(index) for index in range(10)],
        "image": {"channels": 1, "side": SIDE},
        "sheet": {"png": as_text(image_sheet(images, columns)), "columns": columns},
        "rows": {
            "split": packed(np.zeros(POINTS), "uint8"),
            "index": packed(np.arange(POINTS), "int32"),
            "label": packed(labels, "int16"),
        },
        "models": [model],
    }
