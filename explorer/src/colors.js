// What points are colored by.

// Ten colors that stay apart: those of Tableau, as matplotlib and D3 have them, on light and dark;
// its gray is left to what has no class, and a deep blue takes its place.
const CATEGORIES = [
  "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
  "#8c564b", "#e377c2", "#4b5bd6", "#bcbd22", "#17becf",
];
// From low to high, of rising lightness.
const CONTINUOUS = ramp(["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"], 128);
const NONE = "#a9a9a5"; // paler than any class, on light and dark

/** Color of a class or component; gray for none. */
export const colorOf = (index) => CATEGORIES[index % CATEGORIES.length] ?? NONE;

/** What the points of a model can be colored by: [key, text] pairs. */
export function colorings(run, model) {
  const some = [["component", "component"]];
  if (run.classNames.length > 0) {
    some.unshift(["class", "class"]);
    some.push(["assigned", "assigned class"], ["correctness", "correctness"]);
  }
  if (run.split.includes(1)) some.push(["split", "test or anomaly"]);
  return [...some, ...model.values.map(({ name, label }) => [name, label])];
}

/**
 * Color every row.
 *
 * @returns {categories} with `of` (index of each row) and `legend` ({name, color, count}); or
 *   {range} with `of` (each row in [0, 1]) and `range` (lowest and highest value shown).
 */
export function color(run, model, key) {
  const value = model.value(key);
  if (value) return continuous(value.values);
  switch (key) {
    case "component": {
      const names = Array.from(model.mixture.weights, (_, component) => {
        const assigned = model.mixture.classes[component];
        return assigned < 0 ? `${component}` : `${component}: ${run.className(assigned)}`;
      });
      return categorical(model.component, names, colorOf);
    }
    case "correctness": {
      const right = Array.from(model.component, (_, row) => {
        if (run.split[row] === 1 || run.label[row] < 0) return -1;
        return run.isMisassigned(model, row) ? 1 : 0;
      });
      return categorical(right, ["right", "wrong"], twoColors);
    }
    case "split":
      return categorical(run.split, ["test", "anomaly"], twoColors);
    case "assigned":
      return categorical(model.predicted, run.classNames, colorOf);
    default:
      if (run.classNames.length === 0) return color(run, model, "component");
      return categorical(run.label, run.classNames, colorOf);
  }
}

/** `count` colors that go evenly through the given ones. */
function ramp(anchors, count) {
  const channels = anchors.map((shade) => [1, 3, 5].map((at) => parseInt(shade.slice(at, at + 2), 16)));
  return Array.from({ length: count }, (_, i) => {
    const at = (i / (count - 1)) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    const mixed = channels[low].map((value, c) => value + (at - low) * (channels[low + 1][c] - value));
    return `#${mixed.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
  });
}

const twoColors = (index) => colorOf([0, 3][index] ?? -1);

function categorical(indices, names, shade) {
  const of = Float32Array.from(indices, (index) => (index < 0 ? names.length : index));
  const legend = [...names, "no class"].map((name, index) => ({
    index,
    name,
    color: shade(index === names.length ? -1 : index),
    count: 0,
  }));
  for (const index of of) legend[index].count++;
  return { of, colors: legend.map((each) => each.color), legend, range: null };
}

function continuous(values) {
  // A few far values would leave one color to all others.
  const sorted = Float32Array.from(values).sort();
  const low = sorted[Math.floor(0.01 * (sorted.length - 1))];
  const high = sorted[Math.ceil(0.99 * (sorted.length - 1))];
  const of = Float32Array.from(values, (value) =>
    Math.min(1, Math.max(0, (value - low) / (high - low || 1))),
  );
  return { of, colors: CONTINUOUS, legend: null, range: [low, high] };
}
