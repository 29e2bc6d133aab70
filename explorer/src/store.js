// What the page shows, in one place, and its form in the fragment of the URL.

export const MODES = ["move", "walk", "lasso"];
export const THEMES = ["auto", "light", "dark"];

/** State with listeners: `set` tells each of them which keys have changed. */
export class Store {
  #listeners = [];

  constructor(state) {
    this.state = state;
  }

  /** Change some keys. */
  set(patch) {
    const changed = Object.keys(patch).filter((key) => this.state[key] !== patch[key]);
    if (changed.length === 0) return;
    this.state = { ...this.state, ...patch };
    for (const listener of this.#listeners) listener(this.state, new Set(changed));
  }

  /** Call `listener(state, changed keys)` after each change. */
  subscribe(listener) {
    this.#listeners.push(listener);
  }
}

/** The state that a fragment describes; what it leaves out, or names wrongly, has its default. */
export function fromFragment(run, fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const known = (name) => run.models.find((model) => model.name === name)?.name;
  const first = known(given.get("model")) ?? run.models[0].name;
  const second = known(given.get("compare"));
  const row = (name) => run.rowNamed(given.get(name) ?? "");
  const one = (name, allowed) => (allowed.includes(given.get(name)) ? given.get(name) : null);
  const model = run.model(first);
  const latent = (given.get("z") ?? "").split(",").map(Number);
  const isLatent = latent.length === model.latentDim && latent.every(Number.isFinite);
  return {
    models: second ? [first, second] : [first],
    maps: [given.get("map") ?? "t-SNE", given.get("map2") ?? given.get("map") ?? "t-SNE"],
    active: 0,
    color: given.get("color") ?? "class",
    filter: null,
    anomalies: given.get("anomalies") !== "0",
    mode: one("mode", MODES) ?? "move",
    theme: one("theme", THEMES) ?? "auto",
    centers: given.get("centers") !== "0",
    row: row("row"),
    hovered: null,
    a: row("a"),
    b: row("b"),
    c: row("c"),
    list: given.get("list") ?? "misassigned",
    chosen: (given.get("chosen") ?? "").split(",").map((each) => run.rowNamed(each)).filter((each) => each !== null),
    latent: given.has("z") && isLatent ? Float32Array.from(latent) : null,
    place: null,
    label: run.classNames.findIndex((_, label) => String(label) === given.get("decode")),
  };
}

// A longer selection would make an address that some programs cut.
const MOST_CHOSEN = 200;

/** The fragment of a state. */
export function toFragment(run, state) {
  const id = (row) => run.rowName(row).replace(" ", "-");
  const fragment = new URLSearchParams({ model: state.models[0], map: state.maps[0], color: state.color });
  if (state.models[1]) {
    fragment.set("compare", state.models[1]);
    fragment.set("map2", state.maps[1]);
  }
  for (const name of ["row", "a", "b", "c"]) {
    if (state[name] !== null) fragment.set(name, id(state[name]));
  }
  if (state.mode !== "move") fragment.set("mode", state.mode);
  if (state.theme !== "auto") fragment.set("theme", state.theme);
  if (!state.anomalies) fragment.set("anomalies", "0");
  if (!state.centers) fragment.set("centers", "0");
  if (state.list !== "misassigned") fragment.set("list", state.list);
  if (state.chosen.length > 0 && state.chosen.length <= MOST_CHOSEN) {
    fragment.set("chosen", state.chosen.map(id).join(","));
  }
  if (state.label >= 0) fragment.set("decode", state.label);
  if (state.latent && state.active === 0) {
    fragment.set("z", Array.from(state.latent, (value) => value.toFixed(3)).join(","));
  }
  return `#${fragment}`;
}
