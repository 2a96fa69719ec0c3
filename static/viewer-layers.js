// Layers of the viewer: what the server sends, its planes, and the colours of maps. Used by viewer.js.
"use strict";

window.VigilViewer = (() => {
  const RAMPS = {
    // All ramps stay apart for colour-blind readers.
    viridis: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    cividis: [[0, 32, 77], [65, 77, 107], [124, 123, 120], [187, 175, 113], [255, 234, 70]],
    "blue-orange": [[5, 80, 174], [120, 170, 225], [245, 245, 245], [245, 160, 80], [190, 80, 0]],
  };
  // Axes of a layer are slices (feet to head), rows (front to back) and columns (right to left).
  const PLANES = { axial: [0, 1, 2], coronal: [1, 0, 2], sagittal: [2, 0, 1] };
  // Okabe and Ito's colours, the ones that show on black.
  const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2"];

  const table = (name) => {
    const anchors = RAMPS[name];
    const colours = new Uint8Array(256 * 3);
    for (let i = 0; i < 256; i++) {
      const place = (i / 255) * (anchors.length - 1), low = Math.min(Math.floor(place), anchors.length - 2);
      for (let c = 0; c < 3; c++) colours[3 * i + c] = anchors[low][c] + (place - low) * (anchors[low + 1][c] - anchors[low][c]);
    }
    return colours;
  };

  async function layer(url) {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).slice(0, 200)}`);
    const head = (name) => answer.headers.get(name) || "";
    const kind = head("X-Kind"), bytes = await answer.arrayBuffer();
    const list = (text) => text.split(",").filter(Boolean).map(Number);
    const spacing = list(head("X-Spacing")), [order, flips, file] = head("X-Turn").split(";").map(list);
    return {
      kind, numbers: kind === "uint8" ? new Uint8Array(bytes) : new Int16Array(bytes), slope: Number(head("X-Slope")), offset: Number(head("X-Offset")),
      shape: list(head("X-Shape")), spacing: spacing.length === 3 ? spacing : null, turn: { order, flips, file },
      oriented: head("X-Oriented") === "1", start: list(head("X-Start")), stride: Number(head("X-Stride")) || 1,
    };
  }

  // From voxels of the file to slice, row and column, and back. A plane is a volume of one slice.
  const place = (found, voxel) => {
    const whole = voxel.length === 2 ? [0, ...voxel] : voxel, { order, flips, file } = found.turn;
    return order.map((axis, to) => (flips[to] ? file[axis] - 1 - whole[axis] : whole[axis]));
  };
  const voxel = (found, at) => {
    const { order, flips, file } = found.turn, whole = [0, 0, 0];
    order.forEach((axis, from) => { whole[axis] = flips[from] ? file[axis] - 1 - at[from] : at[from]; });
    return whole;
  };

  // One plane of a layer: numbers with rows and columns. The head is up: slices run from feet to head.
  const cut = (found, plane, at) => {
    const [through, down, across] = PLANES[plane];
    const [, rows, columns] = found.shape;
    const strides = [rows * columns, columns, 1];
    const height = found.shape[down], width = found.shape[across], slice = Math.min(at, found.shape[through] - 1);
    const values = new found.numbers.constructor(height * width);
    const upright = plane !== "axial" && found.shape[0] > 1;
    for (let y = 0; y < height; y++) {
      const start = slice * strides[through] + (upright ? height - 1 - y : y) * strides[down];
      for (let x = 0; x < width; x++) values[y * width + x] = found.numbers[start + x * strides[across]];
    }
    return { values, height, width, upright, stretch: found.spacing ? found.spacing[down] / found.spacing[across] : 1 };
  };

  // Colours reach the 99.5th percentile of the whole layer, so that slices and zooms compare.
  const top = (found) => {
    if (!found.top) {
      const sizes = [];
      for (let i = 0; i < found.numbers.length; i += Math.max(1, Math.floor(found.numbers.length / 50000))) sizes.push(Math.abs(found.numbers[i]));
      sizes.sort((a, b) => a - b);
      found.top = sizes[Math.floor(sizes.length * 0.995)] || sizes[sizes.length - 1] || 1;
    }
    return found.top;
  };

  // Grey levels that hold 99 % of an image, and all of it.
  const levels = (found) => {
    if (!found.levels) {
      const { numbers, slope, offset } = found, sample = [];
      for (let i = 0; i < numbers.length; i += Math.max(1, Math.floor(numbers.length / 20000))) sample.push(numbers[i] * slope + offset);
      sample.sort((a, b) => a - b);
      const low = sample[Math.floor(sample.length * 0.005)], high = sample[Math.floor(sample.length * 0.995)];
      found.levels = { range: [sample[0], sample[sample.length - 1]], auto: [(low + high) / 2, Math.max(high - low, 1e-6)] };
    }
    return found.levels;
  };

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && typeof value !== "string") made[name] = value; else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const number = (value) => (value === null || !Number.isFinite(value) ? "–" : Math.abs(value) >= 1000 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : value.toPrecision(3));

  return { RAMPS, PLANES, COLOURS, table, layer, place, voxel, cut, top, levels, element, number };
})();
