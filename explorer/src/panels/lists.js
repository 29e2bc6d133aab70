// The panel of lists: images that are worth a look, one key away.

import { csv, h, save } from "../dom.js";
import { entries, LISTS } from "../lists.js";
import { thumb } from "./point.js";

export function listPanel({ run, store }) {
  const tabs = h("div", { class: "buttons", role: "tablist" });
  const hint = h("p", { class: "hint" });
  const grid = h("div", { class: "grid", id: "list" });
  const element = h(
    "section",
    { class: "panel", "aria-label": "Worth a look" },
    h("h2", {}, "Worth a look"),
    tabs,
    hint,
    grid,
  );

  function update(state) {
    const model = run.model(state.models[state.active]);
    const list = LISTS.find((each) => each.name === state.list) ?? LISTS[0];
    const found = entries(run, model, list.name);
    tabs.replaceChildren(
      ...LISTS.map(({ name, text, key }) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            "aria-selected": name === list.name,
            title: `Key ${key}`,
            onclick: () => store.set({ list: name }),
          },
          text,
        ),
      ),
    );
    hint.replaceChildren(
      `${list.text} by ${model.name}: ${found.length}. ${list.hint[0].toUpperCase()}${list.hint.slice(1)}. `,
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            const [columns, lines] = run.table(model, found.map(({ row }) => row));
            const captioned = lines.map((line, i) => [...line, found[i].caption]);
            save(`${model.name}_${list.name}.csv`, csv([...columns, "note"], captioned));
          },
        },
        "Save as CSV",
      ),
      " ",
      h(
        "button",
        { type: "button", onclick: () => store.set({ chosen: found.map(({ row }) => row) }) },
        "Show on the map",
      ),
    );
    grid.replaceChildren(...found.map(({ row, caption }) => thumb(run, store, row, caption)));
  }

  return { element, update, keys: ["models", "active", "list"] };
}
