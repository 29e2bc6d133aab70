// Decodes beside the page, so that a large decoder never holds up a frame.

import { decode, prepare } from "./decoder.js";

const models = new Map();

self.onmessage = ({ data }) => {
  if (data.decoder) {
    models.set(data.model, { ...data, decoder: prepare(data.decoder) });
    return;
  }
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
  self.postMessage({ id: data.id, pixels }, [pixels.buffer]);
};
