// The page's side of the worker that decodes.

/* global WORKER_SOURCE */

const BOUNDS = { unit: [0, 1], symmetric: [-1, 1] };

/** Decodes latents of every model of a run, in a worker. */
export class Decoding {
  #worker;
  #waiting = new Map();
  #last = 0;

  /** @param models Those of the page's content. */
  constructor(models) {
    const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
    this.#worker = new Worker(url);
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data.pixels);
    };
    for (const model of models) this.add(model);
  }

  /** Whether nothing waits to be decoded. */
  get idle() {
    return this.#waiting.size === 0;
  }

  /** Make one more model known: its name, decoder, classes, latent_dim and pixel_range. */
  add(model) {
    const [low, high] = BOUNDS[model.pixel_range];
    this.#worker.postMessage({
      model: model.name,
      decoder: model.decoder,
      classes: model.classes,
      latentDim: model.latent_dim,
      low,
      high,
    });
  }

  /**
   * Decode latents of one model.
   *
   * @param model Its name.
   * @param latents One array of D numbers each.
   * @param label Class that images are conditioned on, -1 for none.
   * @returns A promise of one image each: pixels in [0, 1], C x H x W.
   */
  async decode(model, latents, label = -1) {
    if (latents.length === 0) return [];
    const width = latents[0].length;
    const joined = new Float32Array(latents.length * width);
    latents.forEach((latent, i) => joined.set(latent, i * width));
    const id = ++this.#last;
    const pixels = await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, model, latents: joined, label }, [joined.buffer]);
    });
    const size = pixels.length / latents.length;
    return latents.map((_, i) => pixels.subarray(i * size, (i + 1) * size));
  }
}

/** Decodes what is asked for last, and skips what was asked for while it was busy. */
export class Latest {
  #busy = false;
  #next = null;

  /** Whether nothing is running. */
  get idle() {
    return !this.#busy;
  }

  /** Run `work`, a function that returns a promise, now or as soon as the last one has ended. */
  async run(work) {
    this.#next = work;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#next) {
        const now = this.#next;
        this.#next = null;
        await now();
      }
    } finally {
      this.#busy = false;
    }
  }
}
