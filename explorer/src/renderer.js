// Draws the points of one map straight onto a canvas that is seen.
//
// The plot's own renderer draws into a floating-point buffer of the window's size, corrects its
// gamma, and copies the result to another canvas. Without a graphics card each of these takes
// longer than the points themselves.

import createRegl from "regl";

const EXTENSIONS = [
  "OES_texture_float",
  "OES_element_index_uint",
  "WEBGL_color_buffer_float",
  "EXT_float_blend",
];

/** What `createScatterplot` takes as `renderer`, for a canvas that no other plot draws on. */
export function createRenderer(canvas) {
  const regl = createRegl({
    canvas,
    attributes: { antialias: false, preserveDrawingBuffer: true },
    optionalExtensions: EXTENSIONS,
  });
  const drawings = new Set();
  const frame = regl.frame(() => {
    for (const draw of drawings) draw();
  });
  return {
    canvas,
    regl,
    gamma: 1,
    isSupported: EXTENSIONS.every((name) => regl.hasExtension(name)),
    isDestroyed: false,
    render(draw) {
      regl.clear({ color: [0, 0, 0, 0], depth: 1 });
      draw();
    },
    resize(width, height) {
      canvas.width = Math.max(1, Math.floor(width * window.devicePixelRatio));
      canvas.height = Math.max(1, Math.floor(height * window.devicePixelRatio));
    },
    refresh: () => regl.poll(),
    onFrame(draw) {
      drawings.add(draw);
      return () => drawings.delete(draw);
    },
    destroy() {
      frame.cancel();
      // A browser keeps few contexts, and takes the oldest away for one too many.
      const context = regl._gl.getExtension("WEBGL_lose_context");
      regl.destroy();
      context?.loseContext();
    },
  };
}
