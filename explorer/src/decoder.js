// The decoder of a model: layers of numbers in, pixels out. It runs in a worker and in tests alike.

import { numbers } from "./arrays.js";

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

/** Layers as they stand in the page, with their arrays read. */
export function prepare(layers) {
  return layers.map((layer) =>
    layer.weight
      ? {
          ...layer,
          shape: layer.weight.shape,
          weight: numbers(layer.weight),
          bias: numbers(layer.bias),
        }
      : layer,
  );
}

/**
 * Decode one latent.
 *
 * @param layers From `prepare`.
 * @param latent D numbers.
 * @param label Class that the image is conditioned on, -1 for none.
 * @param classes Number of classes that the decoder takes; 0 for none.
 * @returns Pixels in the pixel range of the model, C x H x W.
 */
export function decode(layers, latent, label = -1, classes = 0) {
  let values = new Float32Array(latent.length + classes);
  values.set(latent);
  if (label >= 0 && classes > 0) values[latent.length + label] = 1;
  let shape = [values.length];
  for (const layer of layers) {
    if (layer.op === "linear") values = linear(layer, values);
    else if (layer.op === "reshape") shape = layer.shape;
    else if (layer.op === "conv_transpose") [values, shape] = convTranspose(layer, values, shape);
    else values = values.map(ACTIVATIONS[layer.op]);
  }
  return values;
}

function linear({ weight, bias }, input) {
  const width = input.length;
  const output = new Float32Array(bias.length);
  for (let i = 0; i < output.length; i++) {
    let sum = bias[i];
    const start = i * width;
    for (let j = 0; j < width; j++) sum += weight[start + j] * input[j];
    output[i] = sum;
  }
  return output;
}

/** Each input pixel adds its kernel to the output: weights of shape (in, out, kernel, kernel). */
function convTranspose(layer, input, [channels, side]) {
  const { weight, bias, stride, padding } = layer;
  const [, filters, kernel] = layer.shape;
  const outputSide = (side - 1) * stride - 2 * padding + kernel + layer.output_padding;
  const area = outputSide * outputSide;
  const output = new Float32Array(filters * area);
  for (let f = 0; f < filters; f++) output.fill(bias[f], f * area, (f + 1) * area);
  for (let c = 0; c < channels; c++) {
    for (let f = 0; f < filters; f++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          const w = weight[((c * filters + f) * kernel + ky) * kernel + kx];
          for (let y = 0; y < side; y++) {
            const oy = y * stride - padding + ky;
            if (oy < 0 || oy >= outputSide) continue;
            const from = (c * side + y) * side;
            const to = f * area + oy * outputSide - padding + kx;
            const first = kx < padding ? Math.ceil((padding - kx) / stride) : 0;
            const last = Math.min(side, Math.ceil((outputSide + padding - kx) / stride));
            for (let x = first; x < last; x++) output[to + x * stride] += w * input[from + x];
          }
        }
      }
    }
  }
  return [output, [filters, outputSide, outputSide]];
}

/** Error function, to 1.5e-7: Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
