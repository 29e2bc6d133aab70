// Bundles the page into src/latentlab/explorer/asset: explorer.js, explorer.css and the licenses of
// what is inside. The result depends on nothing but the pinned packages and the files here, and its
// first line holds their digest, by which a test sees whether it is up to date.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "src", "latentlab", "explorer", "asset");
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
};

const worker = await build({ ...common, entryPoints: ["src/worker.js"], write: false });
const page = await build({
  ...common,
  entryPoints: ["src/main.js"],
  write: false,
  metafile: true,
  define: { WORKER_SOURCE: JSON.stringify(worker.outputFiles[0].text) },
});
const style = await build({ ...common, entryPoints: ["src/style.css"], write: false });

// A script element ends at the first of these, wherever it stands.
const script = page.outputFiles[0].text.replaceAll("</script", "<\\/script");
await writeFile(join(out, "explorer.js"), `// Built of ${await digest()}\n${script}`);
await writeFile(join(out, "explorer.css"), style.outputFiles[0].text);
await writeFile(join(out, "LICENSES.txt"), await licenses(Object.keys(page.metafile.inputs)));

// SHA-256 of the sources and of what pins the packages, by name.
async function digest() {
  const sources = await readdir(join(here, "src"), { recursive: true, withFileTypes: true });
  const names = sources
    .filter((each) => each.isFile())
    .map((each) => relative(here, join(each.parentPath, each.name)).replaceAll("\\", "/"));
  const sum = createHash("sha256");
  for (const name of [...names, "build.mjs", "package-lock.json", "package.json"].sort()) {
    sum.update(`${name}\n`).update(await readFile(join(here, name)));
  }
  return sum.digest("hex");
}

// The license of each package that a bundled file is from, and of those that regl-scatterplot has
// bundled into its own: kdbush, and whatever it depends on.
async function licenses(inputs) {
  const inside = inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  const { packages } = JSON.parse(await readFile(join(here, "package-lock.json"), "utf8"));
  const used = Object.keys(packages).filter((path) => path && !packages[path].dev);
  const paths = new Set([
    ...inside.filter(Boolean).map((name) => `node_modules/${name}`),
    ...used,
    "node_modules/kdbush",
  ]);
  const parts = [];
  for (const path of [...paths].sort()) {
    const folder = join(here, path);
    const { name, version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = await readFile(join(folder, file), "utf8");
    parts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(79)}\n\n`);
}
