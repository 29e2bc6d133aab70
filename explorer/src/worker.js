// Decodes beside the page, so that a large decoder never holds up a frame.

import { decode, prepare } from "./decoder.js";

const models = new Map();

self.onmessage = ({ data }) => {
  if (data.decoder) {
    models.set(data.model, { ...data, decoder: prepare(data.decoder) });
    return;
  }
  try {
    const pixels = decodeAll(data);
    self.postMessage({ id: data.id, pixels }, [pixels.buffer]);
  } catch (error) {
    self.postMessage({ id: data.id, error: `${data.model}: ${error.message}` });
  }
};

/** Pixels in [0, 1] of all latents, one image after the other. */
function decodeAll(data) {
  const { decoder, classes, latentDim, low, high } = models.get(data.model);
  const count = data.latents.length / latentDim;
  let pixels;
  for (let i = 0; i < count; i++) {
    const latent = data.latents.subarray(i * latentDim, (i + 1) * latentDim);
    const image = decode(decoder, latent, data.label, classes);
    pixels ??= new Float32Array(count * image.length);
    for (let j = 0; j < image.length; j++) {
      pixels[i * image.length + j] = (image[j] - low) / (high - low);
    }
  }
  return pixels;
}
