// The panel of one image: the clicked one, its reconstruction, facts, neighbors, and more like it.

import { h, short } from "../dom.js";

const SAMPLES = 12;

/** What people want to know of a row: [name, value] pairs. */
export function facts(run, model, row) {
  const found = [["image", run.rowName(row)]];
  if (run.classNames.length > 0) {
    found.push(["class", run.kindOf(row)]);
    found.push(["assigned to", run.className(model.predicted[row])]);
  }
  found.push(["component", String(model.component[row])]);
  const score = model.value("anomaly_score").values[row];
  const verdict = score > 1 ? "anomalous, above 1" : "normal, up to 1";
  return [...found, ["anomaly score", `${short(score)} (${verdict})`]];
}

/** Every value of a row: [name, value] pairs. */
const scores = (model, row) =>
  model.values.map(({ label, values }) => [label, short(values[row])]);

/** A table of facts. */
export function factTable(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

/** The panel; `update(state)` shows what the state has selected. */
export function pointPanel({ run, decoding, store }) {
  const body = h("div", {});
  const element = h("section", { class: "panel", "aria-label": "Image" }, h("h2", {}, "Image"), body);
  let asked = 0; // how often for more, so that each time others are shown

  async function update(state) {
    const model = run.model(state.models[state.active]);
    const { row } = state;
    if (row === null) {
      body.replaceChildren(
        h("p", { class: "hint" }, "Hover a point to see its image, click it to keep it here."),
      );
      return;
    }
    const rebuilt = run.canvas({ role: "img", "aria-label": "reconstruction" });
    const samples = h("div", { id: "samples" });
    const letter = (name) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": state[name] === row,
          title: `Use this image as ${name.toUpperCase()} of lines and sums`,
          onclick: () => store.set({ [name]: state[name] === row ? null : row }),
        },
        name.toUpperCase(),
      );
    body.replaceChildren(
      h(
        "div",
        { class: "pair" },
        h("figure", {}, run.image(row, { role: "img", "aria-label": run.rowName(row) }), h("figcaption", {}, "original")),
        h("figure", {}, rebuilt, h("figcaption", {}, "reconstruction")),
      ),
      factTable(facts(run, model, row)),
      h("details", {}, h("summary", {}, "All scores"), factTable(scores(model, row))),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", id: "more", onclick: () => more(state, samples) }, "More like this"),
        h("span", {}, "Use as"),
        ["a", "b", "c"].map(letter),
      ),
      samples,
      h("h3", {}, "Nearest in the latent space"),
      h("div", { class: "grid" }, Array.from(model.nearest(row), (other) => thumb(run, store, other))),
    );
    const [pixels] = await decoding.decode(model.name, [model.latent(row)]);
    run.paint(rebuilt, pixels);
  }

  /** Images drawn from the component of the selected one. */
  async function more(state, samples) {
    const model = run.model(state.models[state.active]);
    const drawn = model.draws(model.component[state.row]);
    const first = (asked++ * SAMPLES) % drawn.length;
    const latents = drawn.slice(first, first + SAMPLES);
    const images = await decoding.decode(model.name, latents, state.label);
    const component = model.component[state.row];
    samples.replaceChildren(
      h("h3", {}, `Decoded draws of component ${component}`),
      h("div", { class: "grid" }, images.map((pixels) => run.picture(pixels))),
    );
  }

  return { element, update, keys: ["row", "models", "active", "a", "b", "c", "label"] };
}

/** A small image that selects its row when it is clicked. */
export function thumb(run, store, row, caption = run.shortKindOf(row)) {
  return h(
    "button",
    {
      type: "button",
      class: "thumb",
      title: `${run.rowName(row)}: ${run.kindOf(row)}`,
      onclick: () => store.set({ row, latent: null, place: null }),
    },
    run.image(row),
    h("span", {}, caption),
  );
}
