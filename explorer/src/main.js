// The page: reads the run that is written into it, and keeps maps, panels and address in step.

import { color, colorings } from "./colors.js";
import { Decoding } from "./decoding.js";
import { choice, h, short } from "./dom.js";
import { lift } from "./latents.js";
import { LISTS } from "./lists.js";
import { MapView } from "./map_view.js";
import { betweenPanel } from "./panels/between.js";
import { chosenPanel } from "./panels/chosen.js";
import { latentPanel } from "./panels/latent.js";
import { listPanel } from "./panels/lists.js";
import { factTable, facts, pointPanel } from "./panels/point.js";
import { Run } from "./run.js";
import { fromFragment, MODES, Store, THEMES, toFragment } from "./store.js";

const MODE_TEXTS = {
  move: ["Move", "v", "Drag moves the map, the wheel zooms, a click selects"],
  walk: ["Walk", "w", "Drag on the map: the decoder draws the latent under the pointer"],
  lasso: ["Lasso", "l", "Draw around points to choose them"],
};
const KEYS = [
  ["v, w, l", "move, walk, lasso"],
  [LISTS.map(({ key }) => key).join(", "), LISTS.map(({ text }) => text.toLowerCase()).join(", ")],
  ["n, p", "next and previous image of the list"],
  ["1, 2, 3", "maps"],
  ["arrows", "to the next point in that direction; while walking, a step"],
  ["s", "more like the image under the pointer, or the selected one"],
  ["c", "decoded centers on and off"],
  ["/", "search"],
  ["0", "the whole map"],
  ["t", "light, dark, or as the system"],
  ["?", "this help"],
  ["Escape", "clear what is selected"],
];
const DARK = matchMedia("(prefers-color-scheme: dark)");
const WALK_STEP = 0.03; // of half the map, for one arrow key

class Page {
  constructor(content) {
    this.run = new Run(content);
    this.decoding = new Decoding(content.models);
    this.store = new Store(fromFragment(this.run, location.hash));
    this.views = [];
    this.centers = new Map();
    this.kept = null;
    this.position = -1;
  }

  /** Build the page into an element. */
  async start(root, content) {
    await this.run.readSheet(content.sheet);
    this.tooltip = h("div", { class: "tooltip", hidden: true });
    this.notice = h("p", { class: "notice", role: "alert", hidden: true });
    this.live = h("p", { class: "visually-hidden", "aria-live": "polite" });
    this.bar = h("header", {});
    this.maps = h("div", { class: "maps" });
    this.legend = h("div", { class: "legend", "aria-label": "Legend" });
    this.help = this.#helpDialog();
    this.panels = [pointPanel, listPanel, latentPanel, chosenPanel, betweenPanel].map((panel) =>
      panel(this),
    );
    const elements = this.panels.map(({ element }) => element);
    const side = h("aside", {}, h("nav", { class: "buttons" }, elements.map(toPanel)), elements);
    const stage = h("main", {}, this.notice, this.maps, this.legend);
    root.replaceChildren(this.bar, stage, side, this.tooltip, this.live, this.help);
    this.#applyTheme();
    this.#setViews();
    this.#drawBar();
    for (const panel of this.panels) panel.update(this.store.state);
    this.store.subscribe((state, changed) => this.#update(state, changed));
    addEventListener("keydown", (event) => this.#onKey(event));
    addEventListener("hashchange", () => {
      if (location.hash !== toFragment(this.run, this.store.state)) {
        this.store.set(fromFragment(this.run, location.hash));
      }
    });
    DARK.addEventListener("change", () => this.#applyTheme());
    if (this.store.state.row !== null) this.#announce();
  }

  /** Whether all that was asked for is drawn. */
  get idle() {
    return this.decoding.idle && this.views.every((view) => view.idle);
  }

  /** Called by the panel that decodes the latent under one's hand. */
  onDecoded(canvas) {
    this.decoded = canvas;
    if (this.store.state.latent) this.#mark();
  }

  /** Decode latents of a model: one image each, pixels in [0, 1], C x H x W. */
  decode(model, latents, label) {
    return this.decoding.decode(model, latents, label);
  }

  #update(state, changed) {
    const has = (...keys) => keys.some((key) => changed.has(key));
    if (has("models")) this.#setViews();
    else if (has("maps", "color", "filter", "anomalies")) this.#showMaps();
    if (has("models", "active", "list")) this.position = -1;
    if (has("theme")) this.#applyTheme();
    if (has("mode")) for (const view of this.views) view.setMode(state.mode);
    if (has("centers")) this.#drawLegend();
    if (has("models", "maps", "color", "mode", "theme", "centers", "active", "filter")) this.#drawBar();
    for (const panel of this.panels) if (has(...panel.keys)) panel.update(state);
    if (has("row")) this.#announce();
    if (has("chosen") && state.chosen.length > 0) show(document.querySelector("#chosen").parentElement);
    this.#mark();
    history.replaceState(null, "", toFragment(this.run, state));
  }

  /** One view for each model that is shown. */
  #setViews() {
    const { models } = this.store.state;
    while (this.views.length > models.length) this.views.pop().destroy();
    while (this.views.length < models.length) {
      const side = this.views.length;
      const view = new MapView(this.run, {
        hover: (row, x, y) => this.#hover(side, row, x, y),
        click: (row) => this.store.set({ row, active: side, latent: null, place: null }),
        lasso: (rows) => this.store.set({ chosen: [...rows], ...this.#activation(side) }),
        clear: () => this.#clear(),
        lost: () => this.#tell("The browser has taken the map's WebGL away; load the page again."),
        walkStart: (each) => this.#startWalk(each),
        walk: (each, place) => this.#walk(each, place),
      });
      this.maps.append(view.element);
      try {
        view.start();
      } catch {
        view.element.remove();
        this.#tell("This browser has no WebGL, so there is no map; lists and sliders work.");
        return;
      }
      this.views.push(view);
      view.setMode(this.store.state.mode);
      view.element.addEventListener("focusin", () => this.store.set(this.#activation(side)));
    }
    this.maps.dataset.count = this.views.length;
    this.#showMaps();
  }

  /** What changes when a hand goes to a view: a latent is one of its model alone. */
  #activation(side) {
    if (side === this.store.state.active) return {};
    return { active: side, latent: null, place: null };
  }

  /** Say over the maps what has gone wrong. */
  #tell(text) {
    this.notice.textContent = text;
    this.notice.hidden = text === "";
  }

  #showMaps() {
    const { state } = this.store;
    const style = getComputedStyle(document.documentElement);
    const look = {
      isShown: (row, coloring) =>
        (state.anomalies || this.run.split[row] === 0) &&
        (state.filter === null || coloring.of[row] === state.filter),
      background: style.getPropertyValue("--map").trim(),
      ink: style.getPropertyValue("--ink").trim(),
    };
    this.views.forEach((view, side) => {
      const model = this.run.model(state.models[side]);
      view.show(model, model.map(state.maps[side]), color(this.run, model, state.color), look);
      this.#decodeCenters(model);
    });
    this.#drawLegend();
    this.#mark();
  }

  #mark() {
    const { state } = this.store;
    this.views.forEach((view, side) => {
      const isActive = side === state.active;
      view.mark({
        row: state.row,
        hovered: state.hovered,
        chosen: state.chosen,
        place: isActive ? state.place : null,
        latent: isActive ? state.latent : null,
        picture: state.mode === "walk" ? this.decoded : null,
        letters: { a: state.a, b: state.b, c: state.c },
        // Where points have colors of another kind, ellipses have none.
        componentColors: { component: "component", class: "class", assigned: "class" }[state.color],
        centers: state.centers ? this.centers.get(state.models[side]) : null,
      });
    });
  }

  async #decodeCenters(model) {
    if (this.centers.has(model.name)) return;
    this.centers.set(model.name, []);
    const { means } = model.mixture;
    const width = model.latentDim;
    const latents = Array.from({ length: means.length / width }, (_, k) =>
      means.subarray(k * width, (k + 1) * width),
    );
    const images = await this.decoding.decode(model.name, latents);
    this.centers.set(model.name, images.map((pixels) => this.run.picture(pixels)));
    this.#mark();
  }

  #drawBar() {
    const { run, store } = this;
    const { state } = store;
    const names = run.models.map(({ name }) => [name, name]);
    const model = run.model(state.models[0]);
    const chooseMap = (side) => {
      const shown = run.model(state.models[side]);
      const set = (name) => {
        const maps = [...state.maps];
        maps[side] = name;
        store.set({ maps, place: null });
      };
      const options = shown.maps.map(({ name }) => [name, name]);
      return choice(`Map of ${shown.name}`, options, shown.map(state.maps[side]).name, set);
    };
    const setModel = (side, name) => {
      const models = [...state.models];
      if (name) models[side] = name;
      else models.splice(side, 1);
      store.set({ models, latent: null, place: null, active: Math.min(state.active, models.length - 1) });
    };
    const search = h("input", {
      type: "search",
      id: "search",
      placeholder: "8, or test 12",
      "aria-label": "Search for a class or a row",
      onkeydown: (event) => {
        if (event.key === "Enter") this.#search(search.value);
      },
    });
    this.bar.replaceChildren(
      h("h1", {}, run.dataset, h("small", {}, " latent space explorer")),
      this.#modeButtons(),
      choice("Model", names, state.models[0], (name) => setModel(0, name)),
      chooseMap(0),
      choice(
        "Model to compare with",
        [["", "compare with …"], ...names],
        state.models[1] ?? "",
        (name) => setModel(1, name),
      ),
      ...(state.models[1] ? [chooseMap(1)] : []),
      h(
        "label",
        {},
        "color ",
        choice("Color by", colorings(run, model), this.#colorKey(model), (key) =>
          store.set({ color: key, filter: null }),
        ),
      ),
      search,
      h("button", { type: "button", title: "Light, dark, or as the system (key t)", onclick: () => this.#nextTheme() }, `Theme: ${state.theme}`),
      h("button", { type: "button", title: "Keys (key ?)", onclick: () => this.help.showModal() }, "?"),
    );
  }

  #modeButtons() {
    const { store } = this;
    const buttons = MODES.map((mode) => {
      const [text, key, title] = MODE_TEXTS[mode];
      const attributes = {
        type: "button",
        "aria-pressed": store.state.mode === mode,
        title: `${title} (key ${key})`,
        onclick: () => store.set({ mode }),
      };
      return h("button", attributes, text);
    });
    return h("div", { class: "buttons", role: "group", "aria-label": "What dragging does" }, buttons);
  }

  #colorKey(model) {
    const keys = colorings(this.run, model).map(([key]) => key);
    return keys.includes(this.store.state.color) ? this.store.state.color : keys[0];
  }

  #drawLegend() {
    const { state } = this.store;
    const { legend, range, colors } = color(this.run, this.run.model(state.models[0]), state.color);
    const switches = this.#switches();
    if (range) {
      const ramp = h("span", { class: "ramp" });
      ramp.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
      this.legend.replaceChildren(h("span", {}, short(range[0])), ramp, h("span", {}, short(range[1])), ...switches);
      return;
    }
    this.legend.replaceChildren(
      ...legend
        .filter(({ count }) => count > 0)
        .map(({ index, name, color: shade, count }) => {
          const swatch = h("span", { class: "swatch" });
          swatch.style.background = shade;
          const filter = state.filter === index ? null : index;
          return h(
            "button",
            {
              type: "button",
              "aria-pressed": state.filter === index,
              title: "Show these alone, or all again",
              onclick: () => this.store.set({ filter }),
            },
            swatch,
            `${name} `,
            h("small", {}, String(count)),
          );
        }),
      ...switches,
    );
  }

  /** What shows and hides anomalies, if there are any, and the decoded centers. */
  #switches() {
    const { state } = this.store;
    const names = this.run.split.includes(1) ? ["anomalies"] : [];
    if (this.views.some((view) => view.map?.linear)) names.push("centers");
    return names.map((name) => {
      const box = h("input", {
        type: "checkbox",
        checked: state[name],
        onchange: () => this.store.set({ [name]: box.checked }),
      });
      return h("label", {}, box, ` show ${name}`);
    });
  }

  async #hover(side, row, x, y) {
    this.store.set({ hovered: row });
    this.tooltip.hidden = row === null;
    if (row === null) return;
    const model = this.run.model(this.store.state.models[side]);
    const rebuilt = this.run.canvas();
    this.tooltip.replaceChildren(
      h("div", { class: "strip" }, this.run.image(row), rebuilt),
      factTable(facts(this.run, model, row)),
    );
    const { width, height } = this.tooltip.getBoundingClientRect();
    this.tooltip.style.left = `${Math.max(4, Math.min(x + 16, innerWidth - width - 4))}px`;
    this.tooltip.style.top = `${Math.max(4, Math.min(y + 16 + height > innerHeight - 60 ? y - height - 16 : y + 16, innerHeight - height - 4))}px`;
    const [pixels] = await this.decoding.decode(model.name, [model.latent(row)]);
    this.run.paint(rebuilt, pixels);
  }

  #startWalk(view) {
    const { row } = this.store.state;
    this.kept =
      row === null ? null : { latent: view.model.latent(row), place: view.placeOf(row) };
  }

  #walk(view, place) {
    const latent = Float32Array.from(lift(view.model, view.map, place, this.kept));
    this.store.set({ latent, place, active: this.views.indexOf(view) });
  }

  #search(text) {
    const { run, store } = this;
    const sought = text.trim().toLowerCase();
    const names = run.classNames.map((name) => name.toLowerCase());
    // A class may be called as a row is: its whole name comes first.
    const isFound = names.map((name) =>
      names.includes(sought) ? name === sought : name.includes(sought),
    );
    const row = names.includes(sought) ? null : run.rowNamed(text);
    if (row !== null) {
      this.#tell("");
      store.set({ row, latent: null, place: null });
      return;
    }
    const chosen = [];
    run.label.forEach((label, each) => isFound[label] && chosen.push(each));
    const found = chosen.length > 0 ? `${chosen.length} images` : `Nothing is called “${text}”.`;
    this.live.textContent = found;
    this.#tell(chosen.length > 0 ? "" : found);
    if (sought && chosen.length) store.set({ chosen });
  }

  #announce() {
    const { row, models, active } = this.store.state;
    if (row === null) return;
    const pairs = facts(this.run, this.run.model(models[active]), row).slice(0, 4);
    this.live.textContent = pairs.map(([name, value]) => `${name} ${value}`).join(", ");
  }

  #clear() {
    this.store.set({ row: null, chosen: [], latent: null, place: null, filter: null });
  }

  #nextTheme() {
    const { theme } = this.store.state;
    this.store.set({ theme: THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] });
  }

  #applyTheme() {
    const { theme } = this.store.state;
    const auto = DARK.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme === "auto" ? auto : theme;
    if (this.views.length > 0) this.#showMaps();
  }

  #helpDialog() {
    const dialog = h(
      "dialog",
      { "aria-label": "Keys" },
      h("h2", {}, "Keys"),
      factTable(KEYS),
      h("p", { class: "hint" }, `latentlab ${this.run.version}. Everything here is in this file: it asks no network.`),
      h(
        "details",
        {},
        h("summary", {}, "Licenses of the libraries inside"),
        h("pre", {}, document.getElementById("licenses").textContent),
      ),
      h("button", { type: "button", onclick: () => dialog.close() }, "Close"),
    );
    return dialog;
  }

  #onKey(event) {
    const { target, key } = event;
    const isTyping = target.matches?.("input, select, textarea");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    const { store, run } = this;
    const { state } = store;
    const list = LISTS.find((each) => each.key === key);
    const mode = MODES.find((each) => MODE_TEXTS[each][1] === key);
    const maps = run.model(state.models[state.active]).maps;
    if (list) {
      store.set({ list: list.name });
      show(document.querySelector("#list").parentElement);
    }
    else if (mode) store.set({ mode });
    else if (key === "n" || key === "p") this.#step(key === "n" ? 1 : -1);
    else if (maps[Number(key) - 1]) {
      const names = [...state.maps];
      names[state.active] = maps[Number(key) - 1].name;
      store.set({ maps: names, place: null });
    } else if (key.startsWith("Arrow")) this.#onArrow(key);
    else if (key === "s") this.#more(state.hovered ?? state.row);
    else if (key === "c") store.set({ centers: !state.centers });
    else if (key === "/") document.querySelector("#search").focus();
    else if (key === "0") for (const view of this.views) view.reset();
    else if (key === "t") this.#nextTheme();
    else if (key === "?") this.help.showModal();
    else if (key === "Escape") this.#clear();
    else return;
    event.preventDefault();
  }

  /** Draws of the component of a row, which becomes the selected one. */
  #more(row) {
    if (row === null) return;
    this.store.set({ row, latent: null, place: null });
    document.querySelector("#more").click();
  }

  /** To the next or previous image of the list. */
  #step(by) {
    const thumbs = [...document.querySelectorAll("#list .thumb")];
    if (thumbs.length === 0) return;
    const first = by > 0 ? 0 : thumbs.length - 1;
    const next = (this.position + by + thumbs.length) % thumbs.length;
    this.position = this.position < 0 ? first : next;
    thumbs[this.position].click();
    thumbs[this.position].scrollIntoView({ block: "nearest" });
  }

  #onArrow(key) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    const { store } = this;
    const view = this.views[store.state.active];
    if (!view) return;
    const { row, place } = store.state;
    if (store.state.mode === "walk") {
      if (place === null) this.#startWalk(view);
      const from = place ?? (row === null ? view.center : view.placeOf(row));
      const step = WALK_STEP * view.reach;
      this.#walk(view, [from[0] + dx * step, from[1] + dy * step]);
      return;
    }
    const from = row === null ? view.center : view.placeOf(row);
    let best = null;
    let smallest = Infinity;
    for (let other = 0; other < this.run.count; other++) {
      const [x, y] = view.placeOf(other);
      const [u, v] = [x - from[0], y - from[1]];
      const along = u * dx + v * dy;
      const across = Math.abs(u * dy - v * dx);
      // Points to the side count as farther away than points ahead.
      const cost = along + 2 * across;
      if (other !== row && view.isShown(other) && along > 0 && across < 2 * along && cost < smallest) [best, smallest] = [other, cost];
    }
    if (best !== null) store.set({ row: best, latent: null, place: null });
  }
}

/** A button that brings a panel into view. */
function toPanel(panel) {
  const onclick = () => show(panel);
  return h("button", { type: "button", onclick }, panel.getAttribute("aria-label"));
}

const show = (panel) => panel.scrollIntoView({ block: "start" });

const content = JSON.parse(document.getElementById("run").textContent);
const page = new Page(content);
// For tests, and for whoever wants to ask the page in the console.
window.explorer = page;
page.start(document.getElementById("app"), content).then(() => {
  document.documentElement.dataset.ready = "";
});
