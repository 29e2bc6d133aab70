// The panel of lines and sums: images between A and B, and A - B + C.

import { Latest } from "../decoding.js";
import { h } from "../dom.js";
import { arithmetic, line, nearestRow } from "../latents.js";
import { thumb } from "./point.js";

const FRAMES = 9;

export function betweenPanel({ run, decoding, store }) {
  const body = h("div", {});
  const element = h(
    "section",
    { class: "panel", "aria-label": "Between images" },
    h("h2", {}, "Between images"),
    body,
  );
  const latest = new Latest();

  function update(state) {
    const { a, b, c } = state;
    const model = run.model(state.models[state.active]);
    if (a === null || b === null) {
      const hint =
        "Click an image and use it as A, another one as B: the line between them is decoded. " +
        "With a third one as C, so is A - B + C.";
      latest.run(async () => body.replaceChildren(h("p", { class: "hint" }, hint)));
      return;
    }
    const [from, to] = [model.latent(a), model.latent(b)];
    const slider = h("input", {
      type: "range",
      id: "between",
      min: 0,
      max: 1,
      step: "any",
      value: 0.5,
      "aria-label": "Share of the way from A to B",
      oninput: () => {
        const share = Number(slider.value);
        const latent = from.map((value, i) => value + share * (to[i] - value));
        store.set({ latent, place: null });
      },
    });
    latest.run(async () => {
      const latents = line(from, to, FRAMES);
      const sum = c === null ? null : arithmetic(from, to, model.latent(c));
      const images = await decoding.decode(model.name, sum ? [...latents, sum] : latents, state.label);
      body.replaceChildren(
        h("p", {}, `From ${run.rowName(a)} (A) to ${run.rowName(b)} (B)`),
        h("div", { class: "strip", id: "line" }, images.slice(0, FRAMES).map((each) => run.picture(each))),
        slider,
        ...(sum ? sumOf(state, model, sum, images[FRAMES]) : []),
      );
    });
  }

  function sumOf({ a, b, c }, model, sum, pixels) {
    const sign = (text) => h("span", { class: "sign" }, text);
    return [
      h("p", {}, "A - B + C, and the image whose latent is nearest"),
      h(
        "div",
        { class: "strip", id: "sum" },
        run.image(a), sign("-"), run.image(b), sign("+"), run.image(c), sign("="),
        run.picture(pixels), sign("≈"), thumb(run, store, nearestRow(model, sum)),
      ),
    ];
  }

  return { element, update, keys: ["a", "b", "c", "models", "active", "label"] };
}
