// The panel of chosen images: those in the lasso, of a class, or of a list.

import { csv, h, save } from "../dom.js";
import { thumb } from "./point.js";

const SHOWN = 300;

export function chosenPanel({ run, store }) {
  const body = h("div", { id: "chosen" });
  const element = h(
    "section",
    { class: "panel", "aria-label": "Chosen images" },
    h("h2", {}, "Chosen images"),
    body,
  );

  function update({ chosen, models, active }) {
    const model = run.model(models[active]);
    if (chosen.length === 0) {
      body.replaceChildren(
        h("p", { class: "hint" }, "Draw a lasso around points (hold shift, or press l), or search for a class."),
      );
      return;
    }
    // By label, because a class may be called as anomalies are here.
    const counts = new Map();
    for (const row of chosen) {
      const key = run.label[row] < 0 ? -1 - run.split[row] : run.label[row];
      const { count } = counts.get(key) ?? { count: 0 };
      counts.set(key, { name: run.shortKindOf(row), count: count + 1 });
    }
    const byCount = [...counts.values()].sort((a, b) => b.count - a.count);
    body.replaceChildren(
      h(
        "div",
        { class: "pair" },
        h("figure", {}, mean(chosen), h("figcaption", {}, "mean image")),
        h(
          "div",
          {},
          h("p", {}, `${chosen.length} images`),
          h("ul", { class: "counts" }, byCount.map(({ name, count }) => h("li", {}, `${name}: ${count}`))),
          h(
            "div",
            { class: "buttons" },
            h(
              "button",
              { type: "button", onclick: () => save(`${model.name}_chosen.csv`, csv(...run.table(model, chosen))) },
              "Save as CSV",
            ),
            h("button", { type: "button", onclick: () => store.set({ chosen: [] }) }, "Clear"),
          ),
        ),
      ),
      h("div", { class: "grid" }, chosen.slice(0, SHOWN).map((row) => thumb(run, store, row))),
      ...(chosen.length > SHOWN ? [h("p", { class: "hint" }, `The first ${SHOWN} are shown.`)] : []),
    );
  }

  /** The mean of the images of rows, pixel by pixel. */
  function mean(rows) {
    const one = run.canvas();
    const context = one.getContext("2d", { willReadFrequently: true });
    const sums = new Float64Array(4 * run.side * run.side);
    for (const row of rows) {
      run.paintRow(one, row);
      context.getImageData(0, 0, run.side, run.side).data.forEach((value, i) => {
        sums[i] += value;
      });
    }
    const bytes = Uint8ClampedArray.from(sums, (sum) => sum / rows.length);
    const result = run.canvas({ role: "img", "aria-label": "mean of the chosen images" });
    result.getContext("2d").putImageData(new ImageData(bytes, run.side, run.side), 0, 0);
    return result;
  }

  return { element, update, keys: ["chosen", "models", "active"] };
}
