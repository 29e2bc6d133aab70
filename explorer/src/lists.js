// Lists of images that are worth a look: rows, each with a caption.

const MOST = 200;
// Share of an image's nearest neighbors that are of one other class, from which its label is
// doubted.
const DOUBT = 0.7;

/** Names, keys and explanations of the lists. */
export const LISTS = [
  { name: "misassigned", key: "m", text: "Misassigned", find: misassigned,
    hint: "in a component of another class; most frequent mistakes first" },
  { name: "anomalous", key: "a", text: "Most anomalous", find: anomalous,
    hint: "highest anomaly score first; above 1 is called anomalous" },
  { name: "duplicates", key: "d", text: "Near duplicates", find: duplicates,
    hint: "pairs that lie closest together in the latent space" },
  { name: "labels", key: "e", text: "Probable label errors", find: labelErrors,
    hint: `at least ${100 * DOUBT} % of the nearest images are of one other class` },
];

/** Entries of the list of a name: {row, caption}, at most so many. */
export function entries(run, model, name) {
  return LISTS.find((list) => list.name === name)
    .find(run, model)
    .slice(0, MOST);
}

function allRows(run) {
  return Array.from({ length: run.count }, (_, row) => row);
}

function misassigned(run, model) {
  const pair = (row) => `${run.label[row]},${model.predicted[row]}`;
  const rows = allRows(run).filter((row) => run.isMisassigned(model, row));
  const counts = new Map();
  for (const row of rows) counts.set(pair(row), (counts.get(pair(row)) ?? 0) + 1);
  rows.sort((a, b) => counts.get(pair(b)) - counts.get(pair(a)) || compare(pair(a), pair(b)));
  return rows.map((row) => ({
    row,
    caption: `${run.className(run.label[row])} → ${run.className(model.predicted[row])}`,
  }));
}

function anomalous(run, model) {
  const scores = model.value("anomaly_score").values;
  return allRows(run)
    .sort((a, b) => scores[b] - scores[a] || a - b)
    .map((row) => ({ row, caption: scores[row].toFixed(2) }));
}

function duplicates(run, model) {
  const pairs = [];
  for (let row = 0; row < run.count; row++) {
    const other = model.nearest(row)[0];
    const isFirst = row < other || model.nearest(other)[0] !== row;
    if (other !== undefined && isFirst) {
      pairs.push({ row, other, distance: model.nearestDistance[row] });
    }
  }
  pairs.sort((a, b) => a.distance - b.distance || a.row - b.row);
  return pairs.slice(0, MOST / 2).flatMap(({ row, other, distance }) => [
    { row, caption: distance.toPrecision(2) },
    { row: other, caption: "its double" },
  ]);
}

function labelErrors(run, model) {
  const found = [];
  for (let row = 0; row < run.count; row++) {
    if (run.label[row] < 0 || run.split[row] === 1) continue;
    const counts = new Map();
    for (const other of model.nearest(row)) {
      // Anomalies among the neighbors speak for no class.
      if (run.label[other] < 0 || run.split[other] === 1) continue;
      counts.set(run.label[other], (counts.get(run.label[other]) ?? 0) + 1);
    }
    for (const [label, count] of counts) {
      if (label !== run.label[row] && count >= DOUBT * model.nNeighbors) {
        found.push({ row, count, caption: `${run.className(run.label[row])}, not ${run.className(label)}?` });
      }
    }
  }
  return found.sort((a, b) => b.count - a.count || a.row - b.row);
}

const compare = (a, b) => (a < b ? -1 : Number(a > b));
