// Latents: from places on a map to latents, lines and sums.

import { rowOf } from "./arrays.js";

// Nearest points that a latent of a map without inverse is interpolated from.
const NEIGHBORS = 8;

/**
 * The latent at a place on a map.
 *
 * On a linear map it is the map's inverse. `kept`, a latent and its place, adds what the map does
 * not show of it. On another map it is the mean of the nearest points, weighted by inverse squared
 * distance.
 */
export function lift(model, map, place, kept = null) {
  if (map.linear) {
    const { origin, inverse } = map.linear;
    const start = kept ? kept.latent : origin;
    const [x, y] = kept ? [place[0] - kept.place[0], place[1] - kept.place[1]] : place;
    return start.map((value, i) => value + inverse[2 * i] * x + inverse[2 * i + 1] * y);
  }
  const rows = nearestOnMap(map.points, place, NEIGHBORS);
  const latent = new Float32Array(model.latentDim);
  let total = 0;
  for (const { row, squared } of rows) {
    const weight = 1 / (squared + 1e-9);
    total += weight;
    rowOf(model.latents, row, model.latentDim).forEach((value, i) => {
      latent[i] += weight * value;
    });
  }
  return latent.map((value) => value / total);
}

/** Where a latent lies on a linear map. */
export function project({ origin, directions }, latent) {
  const width = latent.length;
  return [0, 1].map((axis) => {
    let sum = 0;
    for (let i = 0; i < width; i++) {
      sum += directions[axis * width + i] * (latent[i] - origin[i]);
    }
    return sum;
  });
}

/** The rows whose points are nearest to a place: {row, squared}, nearest first. */
export function nearestOnMap(points, [x, y], count) {
  const found = [];
  for (let row = 0; row < points.length / 2; row++) {
    const squared = (points[2 * row] - x) ** 2 + (points[2 * row + 1] - y) ** 2;
    if (found.length < count || squared < found.at(-1).squared) {
      const at = found.findIndex((each) => squared < each.squared);
      found.splice(at < 0 ? found.length : at, 0, { row, squared });
      if (found.length > count) found.pop();
    }
  }
  return found;
}

/** The row whose latent is nearest to a latent. */
export function nearestRow(model, latent) {
  let best = 0;
  let smallest = Infinity;
  for (let row = 0; row < model.latents.length / model.latentDim; row++) {
    let squared = 0;
    for (let i = 0; i < model.latentDim; i++) {
      squared += (model.latents[row * model.latentDim + i] - latent[i]) ** 2;
    }
    if (squared < smallest) [best, smallest] = [row, squared];
  }
  return best;
}

/** `count` latents on the straight line from one to another, both included. */
export function line(from, to, count) {
  return Array.from({ length: count }, (_, step) => {
    const share = step / (count - 1);
    return from.map((value, i) => value + share * (to[i] - value));
  });
}

/** a - b + c. */
export const arithmetic = (a, b, c) => a.map((value, i) => value - b[i] + c[i]);
