// The panel of the latent under one's hand: the decoded image, and a slider for each dimension.

import { Latest } from "../decoding.js";
import { choice, h, short } from "../dom.js";

const REACH = 3.5; // standard deviations of the train latents to either side
const SHOWN = 16; // sliders until more are asked for

/** The latent that the page shows: moved to, or the selected image's, or the mean of train. */
export function currentLatent(run, state) {
  const model = run.model(state.models[state.active]);
  if (state.latent) return state.latent;
  return state.row === null ? model.dimensions.mean : model.latent(state.row);
}

export function latentPanel(page) {
  const { run, decoding, store } = page;
  const decoded = run.canvas({ id: "decoded", role: "img", "aria-label": "decoded image" });
  const sliders = h("div", { class: "sliders" });
  const classes = h("div", { class: "buttons" });
  const element = h(
    "section",
    { class: "panel", "aria-label": "Latent" },
    h("h2", {}, "Latent"),
    h(
      "div",
      { class: "pair" },
      h("figure", {}, decoded, h("figcaption", {}, "decoded")),
      h(
        "div",
        {},
        h("p", { class: "hint" }, "Walk on a map, or move a slider: the decoder draws along."),
        h(
          "button",
          { type: "button", onclick: () => store.set({ latent: null, place: null }) },
          "Back to the image",
        ),
      ),
    ),
    classes,
    sliders,
  );
  const latest = new Latest();
  let shownModel = null;
  let inputs = [];

  function build(model, all) {
    const { order, value, mean, std, by } = model.dimensions;
    const count = all ? model.latentDim : Math.min(SHOWN, model.latentDim);
    inputs = [];
    const rows = Array.from(order.subarray(0, count), (dimension) => {
      const reach = REACH * (std[dimension] || 1);
      const input = h("input", {
        type: "range",
        id: `z${dimension}`,
        min: mean[dimension] - reach,
        max: mean[dimension] + reach,
        step: "any",
        oninput: () => {
          const latent = Float32Array.from(currentLatent(run, store.state));
          latent[dimension] = Number(input.value);
          store.set({ latent, place: null });
        },
      });
      const output = h("output", { for: `z${dimension}` });
      inputs.push({ dimension, input, output });
      return h(
        "label",
        { class: "slider", title: `latent dimension ${dimension + 1}` },
        h("span", {}, `z${dimension + 1}`),
        input,
        output,
        h("small", {}, `${by} ${value[dimension] < 0.001 ? "< 0.001" : short(value[dimension])}`),
      );
    });
    sliders.replaceChildren(...rows);
    if (count < model.latentDim) {
      const more = `All ${model.latentDim} dimensions`;
      sliders.append(
        h("button", { type: "button", onclick: () => (build(model, true), update(store.state)) }, more),
      );
    }
    const names = [["-1", "no class"], ...run.classNames.map((name, i) => [String(i), name])];
    classes.replaceChildren(
      ...(model.classes > 0
        ? [h("span", {}, "Decode as"), choice("Class to decode as", names, String(store.state.label), (value) => store.set({ label: Number(value) }))]
        : []),
    );
  }

  function update(state) {
    const model = run.model(state.models[state.active]);
    if (model !== shownModel) build(model, false);
    const select = classes.querySelector("select");
    if (select) select.value = String(state.label);
    shownModel = model;
    const latent = currentLatent(run, state);
    for (const { dimension, input, output } of inputs) {
      input.value = latent[dimension];
      output.textContent = short(latent[dimension]);
    }
    latest.run(async () => {
      const [pixels] = await decoding.decode(model.name, [latent], state.label);
      run.paint(decoded, pixels);
      page.onDecoded(decoded);
    });
  }

  return { element, update, keys: ["row", "models", "active", "latent", "label"] };
}
