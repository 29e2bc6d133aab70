// The run that a page is of: its images, classes and models, as `latentlab.explorer` wrote them.

import { bytesOf, numbers, rowOf } from "./arrays.js";

const SPLITS = ["test", "anomaly"];

/** One model: latents, what the mixture said of each image, maps. */
class Model {
  constructor(content) {
    this.name = content.name;
    this.kind = content.kind;
    this.latentDim = content.latent_dim;
    this.classes = content.classes;
    this.latents = numbers(content.latents);
    this.component = numbers(content.component);
    this.predicted = numbers(content.predicted);
    this.values = content.values.map((each) => ({ ...each, values: numbers(each.values) }));
    this.nNeighbors = content.neighbors.shape[1];
    this.neighbors = numbers(content.neighbors);
    this.nearestDistance = numbers(content.nearest_distance);
    this.maps = content.maps.map(readMap);
    const { weights, means, draws, classes } = content.mixture;
    this.mixture = {
      weights: numbers(weights),
      means: numbers(means),
      draws: numbers(draws),
      nDraws: draws.shape[1],
      classes: numbers(classes),
    };
    const { by, order, value, mean, std } = content.dimensions;
    this.dimensions = {
      by,
      order: numbers(order),
      value: numbers(value),
      mean: numbers(mean),
      std: numbers(std),
    };
  }

  /** The map of a name, or the model's last one. */
  map(name) {
    return this.maps.find((map) => map.name === name) ?? this.maps.at(-1);
  }

  /** The latent of a row. */
  latent(row) {
    return rowOf(this.latents, row, this.latentDim);
  }

  /** Rows of the nearest images in the latent space, nearest first. */
  nearest(row) {
    return rowOf(this.neighbors, row, this.nNeighbors);
  }

  /** Latents drawn of one component of the mixture. */
  draws(component) {
    const first = component * this.mixture.nDraws;
    return Array.from({ length: this.mixture.nDraws }, (_, i) =>
      rowOf(this.mixture.draws, first + i, this.latentDim),
    );
  }

  /** One value of each row, by its name; undefined if the model has none of it. */
  value(name) {
    return this.values.find((each) => each.name === name);
  }
}

function readMap(content) {
  const { origin, directions, inverse } = content.linear ?? {};
  return {
    name: content.name,
    axes: content.axes,
    points: numbers(content.points),
    linear: content.linear && {
      origin: numbers(origin),
      directions: numbers(directions),
      inverse: numbers(inverse),
    },
    means: content.means && numbers(content.means),
    covariances: content.covariances && numbers(content.covariances),
  };
}

/** Images, classes and models. */
export class Run {
  constructor(content) {
    this.dataset = content.dataset;
    this.version = content.version;
    this.classNames = content.class_names;
    this.channels = content.image.channels;
    this.side = content.image.side;
    this.columns = content.sheet.columns;
    this.split = numbers(content.rows.split);
    this.index = numbers(content.rows.index);
    this.label = numbers(content.rows.label);
    this.count = this.split.length;
    this.models = content.models.map((each) => new Model(each));
  }

  /** Read the sheet of images, which `image` draws from. */
  async readSheet({ png }) {
    this.sheet = await createImageBitmap(new Blob([bytesOf(png)], { type: "image/png" }));
  }

  /** The model of a name, or the first one. */
  model(name) {
    return this.models.find((model) => model.name === name) ?? this.models[0];
  }

  /** Name of a class; "none" for -1. */
  className(label) {
    return label < 0 ? "none" : this.classNames[label];
  }

  /** Class of a row, or what it is where it has none. */
  kindOf(row) {
    if (this.label[row] >= 0) return this.className(this.label[row]);
    return this.split[row] === 1 ? "none (an anomaly)" : "none";
  }

  /** The same in a word. */
  shortKindOf(row) {
    return this.label[row] < 0 && this.split[row] === 1 ? "anomaly" : this.className(this.label[row]);
  }

  /** What people call a row, such as "test 12". */
  rowName(row) {
    return `${SPLITS[this.split[row]]} ${this.index[row]}`;
  }

  /** The row of a name, or null. */
  rowNamed(text) {
    const found = /^(test|anomal(?:y|ies))?[\s-]*#?(\d+)$/i.exec(text.trim());
    if (!found) return null;
    const split = found[1]?.toLowerCase().startsWith("anomal") ? 1 : 0;
    for (let row = 0; row < this.count; row++) {
      if (this.split[row] === split && this.index[row] === Number(found[2])) return row;
    }
    return null;
  }

  /** Whether a test image lies in a component of another class than its own. */
  isMisassigned(model, row) {
    return (
      this.split[row] === 0 && this.label[row] >= 0 && model.predicted[row] !== this.label[row]
    );
  }

  /** A canvas of the image of a row. */
  image(row, attributes = {}) {
    const canvas = this.canvas(attributes);
    this.paintRow(canvas, row);
    return canvas;
  }

  /** An empty canvas of the size of an image. */
  canvas(attributes = {}) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.side;
    canvas.className = "image";
    for (const [name, value] of Object.entries(attributes)) canvas.setAttribute(name, value);
    return canvas;
  }

  /** Draw the image of a row onto a canvas. */
  paintRow(canvas, row) {
    const x = (row % this.columns) * this.side;
    const y = Math.floor(row / this.columns) * this.side;
    const { side } = this;
    canvas.getContext("2d").drawImage(this.sheet, x, y, side, side, 0, 0, side, side);
  }

  /** Draw pixels in [0, 1], C x H x W, onto a canvas. */
  paint(canvas, pixels) {
    const area = this.side * this.side;
    const bytes = new Uint8ClampedArray(4 * area);
    for (let i = 0; i < area; i++) {
      for (let c = 0; c < 3; c++) {
        bytes[4 * i + c] = 255 * pixels[this.channels === 3 ? c * area + i : i];
      }
      bytes[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(new ImageData(bytes, this.side, this.side), 0, 0);
  }

  /** A canvas of pixels in [0, 1]. */
  picture(pixels, attributes = {}) {
    const canvas = this.canvas(attributes);
    this.paint(canvas, pixels);
    return canvas;
  }

  /** Columns and one line per row, for a CSV file. */
  table(model, rows) {
    const columns = [
      "split", "row", "class", "component", "assigned_class", ...model.values.map((v) => v.name),
    ];
    const lines = rows.map((row) => [
      this.split[row] === 0 ? "test" : "anomalies",
      this.index[row],
      this.label[row] < 0 ? "" : this.className(this.label[row]),
      model.component[row],
      model.predicted[row] < 0 ? "" : this.className(model.predicted[row]),
      ...model.values.map((v) => v.values[row]),
    ]);
    return [columns, lines];
  }
}
