// Elements. Names from the data become text nodes and attributes, never markup.

/** An element: `h("button", {class: "x", onclick}, "text", child)`; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    const isState = name.startsWith("aria-"); // where "false" says something
    if (value === null || value === undefined || (value === false && !isState)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true && !isState ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A select whose options are [value, text] pairs. */
export function choice(label, options, value, onchange) {
  const select = h(
    "select",
    { "aria-label": label, title: label, onchange: () => onchange(select.value) },
    options.map(([each, text]) => h("option", { value: each }, text)),
  );
  select.value = value;
  return select;
}

/** Offer text as a file to save. */
export function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  h("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

/** Rows of values as CSV; every value is quoted, and text is no formula of a spreadsheet. */
export function csv(columns, rows) {
  const plain = (value) =>
    typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  const quoted = (value) => `"${plain(value).replaceAll('"', '""')}"`;
  return [columns, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

/** A number with three significant digits, for people. */
export function short(value) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "none";
}
