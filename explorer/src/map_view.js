// One map: points in WebGL, and over them ellipses, centers and marks on a canvas of their own.

import createScatterplot from "regl-scatterplot";

import { colorOf } from "./colors.js";
import { Latest } from "./decoding.js";
import { h } from "./dom.js";
import { project } from "./latents.js";
import { createRenderer } from "./renderer.js";

const MARGIN = 1.06; // of the range of points, so that none lies on the edge
const STEPS = 64; // corners of an ellipse
const THUMB = 28; // CSS pixels of a decoded center
const PREVIEW = 84; // and of what is decoded while one walks

/**
 * A map of the latents of one model.
 *
 * Handlers: `hover(row or null, x, y)`, `click(row)`, `lasso(rows)`, `clear()`, and
 * `walk(view, place)` with the place on the map, in its units.
 */
export class MapView {
  #run;
  #handlers;
  #drawing = new Latest();
  #marks = {};
  #pointer = [0, 0];
  #isBlank = false;
  #observer;

  constructor(run, handlers) {
    this.#run = run;
    this.#handlers = handlers;
    this.points = h("canvas", { class: "points" });
    this.canvas = h("canvas", { class: "hand" }); // takes what a hand does, and shows nothing
    this.overlay = h("canvas", { class: "overlay" });
    this.layer = h("div", { class: "walk-layer" });
    this.axes = h("p", { class: "axes" });
    this.element = h(
      "div",
      { class: "map", tabindex: 0, role: "application", "aria-roledescription": "map of latents" },
      this.points,
      this.canvas,
      this.overlay,
      this.layer,
      this.axes,
    );
  }

  /** Start drawing, once the element has a size. */
  start() {
    const { width, height } = this.element.getBoundingClientRect();
    this.renderer = createRenderer(this.points);
    this.renderer.resize(width, height);
    this.plot = createScatterplot({
      canvas: this.canvas,
      renderer: this.renderer,
      width: Math.max(1, width),
      height: Math.max(1, height),
      actionKeyMap: { lasso: "shift" }, // and no key that rotates the map
      pointSize: this.#run.count > 2000 ? 4 : 7,
      pointSizeSelected: 2,
      pointOutlineWidth: 1,
      opacity: this.#run.count > 2000 ? 0.75 : 0.9,
      opacityInactiveMax: 0.35,
      opacityInactiveScale: 0.6,
      lassoOnLongPress: false,
      lassoMinDelay: 4,
      deselectOnEscape: false,
    });
    this.plot.subscribe("pointover", (row) => this.#handlers.hover(row, ...this.#pointer));
    this.plot.subscribe("pointout", () => this.#handlers.hover(null));
    this.plot.subscribe("select", ({ points }) => {
      if (this.plot.get("mouseMode") === "lasso") this.#handlers.lasso(points);
      else this.#handlers.click(points[0]);
      // A click marks its point, and leaves what is chosen.
      setTimeout(() => this.#select());
    });
    this.plot.subscribe("deselect", () => this.#handlers.clear());
    for (const event of ["view", "draw"]) this.plot.subscribe(event, () => this.drawOverlay());
    this.element.addEventListener("mousemove", (event) => {
      this.#pointer = [event.clientX, event.clientY];
    });
    this.#watchWalking();
    this.#watchTouches();
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(this.element);
    this.points.addEventListener("webglcontextlost", () => this.map && this.#handlers.lost());
    this.#resize();
  }

  /** Give back what the view holds; it draws nothing afterwards. */
  destroy() {
    this.#observer.disconnect();
    this.map = undefined;
    this.plot.destroy();
    this.renderer.destroy();
    this.element.remove();
  }

  /** Show a map of a model, its points colored; points move there if they were shown before. */
  show(model, map, coloring, { isShown, background, ink }) {
    const moves = this.map !== undefined;
    [this.model, this.map] = [model, map];
    this.#fit(map.points);
    this.ink = ink;
    this.isShown = (row) => isShown(row, coloring);
    this.element.setAttribute(
      "aria-label",
      `${map.name} map of ${this.#run.count} latents of ${model.name}. Arrow keys move.`,
    );
    const axes = map.axes.filter(Boolean).map((axis, i) => `${axis} ${"→↑"[i]}`);
    this.axes.textContent = [model.name, ...axes].join("   ");
    const x = new Float32Array(this.#run.count);
    const y = new Float32Array(this.#run.count);
    for (let row = 0; row < x.length; row++) {
      [x[row], y[row]] = this.#normalized([map.points[2 * row], map.points[2 * row + 1]]);
    }
    const shown = [];
    for (let row = 0; row < x.length; row++) if (this.isShown(row)) shown.push(row);
    this.#drawing.run(async () => {
      if (this.map === undefined) return; // the view is gone
      this.plot.set({
        backgroundColor: background,
        colorBy: "valueA",
        pointColor: coloring.colors,
        pointColorActive: coloring.colors,
        pointColorHover: coloring.colors,
        lassoColor: ink,
        reticleColor: [0, 0, 0, 0],
      });
      await this.plot.draw(
        { x, y, valueA: coloring.of },
        {
          transition: moves,
          transitionDuration: 600,
          zDataType: coloring.range ? "continuous" : "categorical",
          ...(shown.length < x.length && { filter: shown }),
        },
      );
      this.#select();
      this.drawOverlay();
    });
  }

  /** Set `mode`, "move", "walk" or "lasso". */
  setMode(mode) {
    this.plot.set({ mouseMode: mode === "lasso" ? "lasso" : "panZoom" });
    this.element.dataset.mode = mode;
  }

  /**
   * Marks over the points: {row, hovered, chosen, letters} are rows; {place, latent} is where one
   * walks, and `picture` what is decoded there; `centers` are pictures of the components.
   */
  mark(marks) {
    const before = this.#marks.chosen;
    this.#marks = marks;
    if (before !== marks.chosen) this.#select();
    this.drawOverlay();
  }

  /** Where a place of the map is, in CSS pixels from the corner of the element. */
  toScreen(place) {
    const [x, y] = this.#normalized(place);
    const view = this.plot.get("cameraView");
    const { clientWidth: width, clientHeight: height } = this.element;
    return [
      (width + height * (view[0] * x + view[12])) / 2,
      (height - height * (view[5] * y + view[13])) / 2,
    ];
  }

  /** The place of the map at CSS pixels from the corner of the element. */
  toPlace(x, y) {
    const view = this.plot.get("cameraView");
    const { clientWidth: width, clientHeight: height } = this.element;
    const u = ((2 * x - width) / height - view[12]) / view[0];
    const v = ((height - 2 * y) / height - view[13]) / view[5];
    return [this.center[0] + u * this.reach, this.center[1] + v * this.reach];
  }

  /** The place of a row. */
  placeOf(row) {
    return [this.map.points[2 * row], this.map.points[2 * row + 1]];
  }

  /** Whether its points have come to rest. */
  get idle() {
    return this.#drawing.idle;
  }

  /** The whole map again. */
  reset() {
    this.plot.reset();
  }

  #select() {
    // A copy, because the plot takes points out of it that are not shown.
    if (this.map) this.plot.select([...(this.#marks.chosen ?? [])], { preventEvent: true });
  }

  #fit(points) {
    const lowest = [Infinity, Infinity];
    const highest = [-Infinity, -Infinity];
    points.forEach((value, i) => {
      lowest[i % 2] = Math.min(lowest[i % 2], value);
      highest[i % 2] = Math.max(highest[i % 2], value);
    });
    this.center = lowest.map((low, i) => (low + highest[i]) / 2);
    const { width, height } = this.element.getBoundingClientRect();
    const [across, up] = highest.map((high, i) => (MARGIN * (high - lowest[i])) / 2);
    // The plot shows -1 to 1 from bottom to top, and more from side to side where it is wider.
    this.reach = Math.max(up, (across * height) / width) || 1;
  }

  #normalized([x, y]) {
    return [(x - this.center[0]) / this.reach, (y - this.center[1]) / this.reach];
  }

  #resize() {
    const { width, height } = this.element.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    this.renderer.resize(width, height);
    this.plot.set({ width, height });
    this.plot.refresh();
    const scale = window.devicePixelRatio;
    [this.overlay.width, this.overlay.height] = [width * scale, height * scale];
    this.drawOverlay();
  }

  /** Ellipses, decoded centers, and marks. */
  drawOverlay() {
    if (!this.map) return;
    // An empty canvas is left alone: to draw on it costs as much as the points.
    const { row, hovered, place, latent, letters = {} } = this.#marks;
    const marked = [row, hovered, place, latent, ...Object.values(letters)];
    const isEmpty = !this.map.linear && marked.every((mark) => mark === null || mark === undefined);
    if (isEmpty && this.#isBlank) return;
    this.#isBlank = isEmpty;
    const context = this.overlay.getContext("2d");
    const scale = window.devicePixelRatio;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    if (this.map.linear) this.#drawComponents(context);
    this.#drawMarks(context);
  }

  #drawComponents(context) {
    const { means, covariances } = this.map;
    const { classes } = this.model.mixture;
    for (let k = 0; k < classes.length; k++) {
      const { componentColors } = this.#marks;
      const shade = { component: colorOf(k), class: colorOf(classes[k]) }[componentColors] ?? this.ink;
      const mean = [means[2 * k], means[2 * k + 1]];
      for (const sigmas of [1, 2]) {
        this.#ellipse(context, mean, covariances.subarray(4 * k, 4 * k + 4), sigmas);
        context.strokeStyle = shade;
        context.lineWidth = 1.5;
        context.setLineDash(sigmas === 1 ? [] : [3, 4]);
        context.stroke();
      }
      context.setLineDash([]);
      const picture = this.#marks.centers?.[k];
      if (picture) {
        const [x, y] = this.toScreen(mean);
        context.imageSmoothingEnabled = false;
        context.drawImage(picture, x - THUMB / 2, y - THUMB / 2, THUMB, THUMB);
        context.lineWidth = 2;
        context.strokeRect(x - THUMB / 2, y - THUMB / 2, THUMB, THUMB);
      }
    }
  }

  #ellipse(context, mean, [a, b, , d], sigmas) {
    const l11 = Math.sqrt(Math.max(a, 0));
    const l21 = l11 > 0 ? b / l11 : 0;
    const l22 = Math.sqrt(Math.max(d - l21 * l21, 0));
    context.beginPath();
    for (let step = 0; step <= STEPS; step++) {
      const angle = (2 * Math.PI * step) / STEPS;
      const [u, v] = [sigmas * Math.cos(angle), sigmas * Math.sin(angle)];
      const [x, y] = this.toScreen([mean[0] + l11 * u, mean[1] + l21 * u + l22 * v]);
      if (step === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    }
  }

  #drawMarks(context) {
    const { row, hovered, place, letters = {}, latent, picture } = this.#marks;
    context.strokeStyle = context.fillStyle = this.ink;
    if (row !== null && row !== undefined) {
      const [x, y] = this.toScreen(this.placeOf(row));
      context.lineWidth = 0.8;
      for (const other of this.model.nearest(row).slice(0, 5)) {
        if (!this.isShown(other)) continue;
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(...this.toScreen(this.placeOf(other)));
        context.stroke();
      }
      circle(context, [x, y], 8, 2.5);
    }
    if (hovered !== null && hovered !== undefined) {
      circle(context, this.toScreen(this.placeOf(hovered)), 7, 1.5);
    }
    context.font = "bold 13px system-ui, sans-serif";
    for (const [letter, at] of Object.entries(letters)) {
      if (at === null) continue;
      const [x, y] = this.toScreen(this.placeOf(at));
      circle(context, [x, y], 6, 2);
      context.fillText(letter.toUpperCase(), x + 9, y - 7);
    }
    const cursor = place ?? (latent && this.map.linear ? project(this.map.linear, latent) : null);
    if (cursor) {
      const [x, y] = this.toScreen(cursor);
      circle(context, [x, y], 9, 2);
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
      context.stroke();
      if (picture) {
        context.imageSmoothingEnabled = false;
        context.lineWidth = 1;
        context.drawImage(picture, x + 18, y - PREVIEW - 18, PREVIEW, PREVIEW);
        context.strokeRect(x + 18, y - PREVIEW - 18, PREVIEW, PREVIEW);
      }
    }
  }

  #watchWalking() {
    const walk = (event) => {
      const { left, top } = this.element.getBoundingClientRect();
      this.#handlers.walk(this, this.toPlace(event.clientX - left, event.clientY - top));
    };
    this.layer.addEventListener("pointerdown", (event) => {
      this.layer.setPointerCapture(event.pointerId);
      this.#handlers.walkStart(this);
      walk(event);
    });
    this.layer.addEventListener("pointermove", (event) => {
      if (event.buttons > 0) walk(event);
    });
    // The map zooms while one walks on it.
    this.layer.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.canvas.dispatchEvent(new WheelEvent("wheel", event));
    });
  }

  /** One finger moves the map or draws the lasso, two zoom: the plot itself knows only a mouse. */
  #watchTouches() {
    let before = null;
    const spread = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    const middle = (touches) => {
      const sum = Array.from(touches).reduce(([x, y], t) => [x + t.clientX, y + t.clientY], [0, 0]);
      return sum.map((value) => value / touches.length);
    };
    const mouse = (type, { clientX, clientY }, buttons) =>
      this.canvas.dispatchEvent(
        new MouseEvent(type, { clientX, clientY, buttons, bubbles: true, cancelable: true }),
      );
    const isLasso = () => this.element.dataset.mode === "lasso";
    this.canvas.addEventListener("touchstart", (event) => {
      if (isLasso()) mouse("mousedown", event.touches[0], 1);
      before = { at: middle(event.touches), spread: event.touches[1] && spread(event.touches) };
    });
    this.canvas.addEventListener(
      "touchmove",
      (event) => {
        event.preventDefault();
        if (isLasso()) return mouse("mousemove", event.touches[0], 1);
        const { width, height, left, top } = this.canvas.getBoundingClientRect();
        const at = middle(event.touches);
        const camera = this.plot.get("camera");
        camera.pan([
          (2 * (at[0] - before.at[0])) / width * (width / height),
          (-2 * (at[1] - before.at[1])) / height,
        ]);
        if (event.touches[1] && before.spread) {
          const factor = spread(event.touches) / before.spread;
          camera.scale(factor, [
            (((at[0] - left) / width) * 2 - 1) * (width / height),
            1 - ((at[1] - top) / height) * 2,
          ]);
        }
        before = { at, spread: event.touches[1] && spread(event.touches) };
        this.plot.redraw();
      },
      { passive: false },
    );
    this.canvas.addEventListener("touchend", (event) => {
      if (isLasso()) mouse("mouseup", event.changedTouches[0], 0);
      before = event.touches.length > 0 ? { at: middle(event.touches) } : null;
    });
  }
}

function circle(context, [x, y], radius, width) {
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}
