// Arrays of the page: {dtype, shape, base64}, little-endian, to typed arrays.

const TYPES = {
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
};

/** Bytes of a base64 string. */
export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The numbers of an array in one typed array, in C order; float16 becomes float32. */
export function numbers({ dtype, base64 }) {
  const { buffer } = bytesOf(base64);
  return dtype === "float16" ? fromFloat16(new Uint16Array(buffer)) : new TYPES[dtype](buffer);
}

/** Half-precision numbers, given by their bits. */
export function fromFloat16(bits) {
  const result = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = bits[i] & 0x8000 ? -1 : 1;
    const exponent = (bits[i] >> 10) & 31;
    const fraction = bits[i] & 1023;
    if (exponent === 0) result[i] = sign * fraction * 2 ** -24;
    else if (exponent === 31) result[i] = fraction ? NaN : sign * Infinity;
    else result[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return result;
}

/** Row `i` of an array of shape (N, width). */
export const rowOf = (values, i, width) => values.subarray(i * width, (i + 1) * width);
