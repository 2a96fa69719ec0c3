// What is drawn over the viewer's picture: outlines of masks, boxes, landmarks, and the displacement as arrows or grid.
"use strict";

Object.assign(window.VigilViewer, (() => {
  const { PLANES, COLOURS, place } = window.VigilViewer;

  // `sight` says where a pane's pixels lie: {plane, slice, shape, upright, x(column), y(row)} in voxels of the viewer.
  const row = (sight, down) => (sight.upright ? sight.shape[PLANES[sight.plane][1]] - 1 - down : down);

  const outline = (pen, sight, cut, colour, dash) => {
    const { values, width, height } = cut;
    const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && values[y * width + x] > 0;
    pen.beginPath();
    for (let y = 0; y <= height; y++) for (let x = 0; x <= width; x++) {
      if (inside(x, y) !== inside(x, y - 1)) { pen.moveTo(sight.x(x), sight.y(y)); pen.lineTo(sight.x(x + 1), sight.y(y)); }
      if (inside(x, y) !== inside(x - 1, y)) { pen.moveTo(sight.x(x), sight.y(y)); pen.lineTo(sight.x(x), sight.y(y + 1)); }
    }
    for (const [style, breadth] of [["#000", 3.2], [colour, 1.6]]) { pen.setLineDash(style === "#000" ? [] : dash); pen.strokeStyle = style; pen.lineWidth = breadth; pen.stroke(); }
    pen.setLineDash([]);
  };

  const lined = (pen, colour, breadth = 1.6) => {
    for (const [style, width] of [["rgba(0,0,0,.75)", breadth + 1.8], [colour, breadth]]) { pen.strokeStyle = style; pen.lineWidth = width; pen.stroke(); }
  };

  const words = (pen, text, x, y, colour) => {
    pen.font = "600 13px system-ui, sans-serif"; pen.lineWidth = 3; pen.strokeStyle = "rgba(0,0,0,.85)"; pen.fillStyle = colour;
    pen.strokeText(text, x, y); pen.fillText(text, x, y);
  };

  // Boxes by structure: low and high corner in voxels of the file; shown on the slices that they reach.
  const boxes = (pen, sight, frame, named) => {
    const [through, down, across] = PLANES[sight.plane];
    Object.entries(named).forEach(([name, corners], index) => {
      const [a, b] = corners.map((corner) => place(frame, corner));
      const low = a.map((value, axis) => Math.min(value, b[axis])), high = a.map((value, axis) => Math.max(value, b[axis]));
      if (sight.slice < Math.floor(low[through]) || sight.slice > Math.ceil(high[through])) return;
      const rows = [row(sight, low[down]), row(sight, high[down])].sort((p, q) => p - q);
      const x = sight.x(low[across]), y = sight.y(rows[0]), colour = COLOURS[index % COLOURS.length];
      pen.beginPath(); pen.rect(x, y, sight.x(high[across] + 1) - x, sight.y(rows[1] + 1) - y); lined(pen, colour, 2);
      words(pen, name, x + 4, Math.max(y - 6, 14), colour);
    });
  };

  const head = (pen, x, y, angle, size) => {
    for (const side of [-0.45, 0.45]) { pen.moveTo(x, y); pen.lineTo(x - size * Math.cos(angle + side), y - size * Math.sin(angle + side)); }
  };

  // {name, place} in slice, row and column; `arrow` is a way in voxels, `off` how many slices away it is still shown.
  const landmarks = (pen, sight, marks) => {
    const [through, down, across] = PLANES[sight.plane];
    for (const mark of marks) {
      if (Math.abs(mark.place[through] - sight.slice) > 2) continue;
      const x = sight.x(mark.place[across] + 0.5), y = sight.y(row(sight, mark.place[down]) + 0.5), colour = "#ff6ec7";
      pen.beginPath(); pen.arc(x, y, 6, 0, 2 * Math.PI); pen.moveTo(x - 11, y); pen.lineTo(x - 4, y); pen.moveTo(x + 4, y); pen.lineTo(x + 11, y);
      pen.moveTo(x, y - 11); pen.lineTo(x, y - 4); pen.moveTo(x, y + 4); pen.lineTo(x, y + 11);
      if (mark.arrow) {
        const endX = sight.x(mark.place[across] + 0.5 + mark.arrow[across]), endY = sight.y(row(sight, mark.place[down] + mark.arrow[down]) + 0.5);
        if (Math.hypot(endX - x, endY - y) > 3) { pen.moveTo(x, y); pen.lineTo(endX, endY); head(pen, endX, endY, Math.atan2(endY - y, endX - x), 9); }
      }
      lined(pen, colour, 2);
      if (mark.name) words(pen, mark.name, x + 13, y - 8, colour);
    }
  };

  // The way in voxels at one stored place of a displacement in mm.
  const way = (field, index, axis) => (field.numbers[3 * index + axis] * field.slope) / (field.spacing ? field.spacing[axis] : 1);
  const longest = (field) => {
    if (field.longest === undefined) {
      field.longest = 0;
      for (let i = 0; i < field.numbers.length; i += 3) field.longest = Math.max(field.longest, Math.hypot(field.numbers[i], field.numbers[i + 1], field.numbers[i + 2]) * field.slope);
    }
    return field.longest;
  };
  const at = (field, where) => {
    const cells = where.map((value, axis) => Math.min(Math.max(Math.round((value - field.start[axis]) / field.stride), 0), field.shape[axis] - 1));
    const index = (cells[0] * field.shape[1] + cells[1]) * field.shape[2] + cells[2];
    return [0, 1, 2].map((axis) => way(field, index, axis));
  };

  // Arrows point from each fixed voxel to its match in the moving image; the grid is carried along the same way.
  const displacement = (pen, sight, field, kind) => {
    const [through, down, across] = PLANES[sight.plane];
    const slice = Math.min(Math.max(Math.round((sight.slice - field.start[through]) / field.stride), 0), field.shape[through] - 1);
    const rows = field.shape[down], columns = field.shape[across];
    const apart = Math.abs(sight.x(field.stride) - sight.x(0)), step = Math.max(1, Math.round((kind === "grid" ? 11 : 15) / Math.max(apart, 0.5)));
    const ends = (r, c) => {
      const cells = [0, 0, 0]; cells[through] = slice; cells[down] = r; cells[across] = c;
      const index = (cells[0] * field.shape[1] + cells[1]) * field.shape[2] + cells[2];
      const y = field.start[down] + r * field.stride, x = field.start[across] + c * field.stride;
      return [x + 0.5, row(sight, y) + 0.5, x + 0.5 + way(field, index, across), row(sight, y + way(field, index, down)) + 0.5];
    };
    pen.beginPath();
    if (kind === "grid") {
      for (let r = 0; r < rows; r += step) for (let c = 0; c < columns; c++) { const [, , x, y] = ends(r, c); pen[c ? "lineTo" : "moveTo"](sight.x(x), sight.y(y)); }
      for (let c = 0; c < columns; c += step) for (let r = 0; r < rows; r++) { const [, , x, y] = ends(r, c); pen[r ? "lineTo" : "moveTo"](sight.x(x), sight.y(y)); }
      pen.strokeStyle = "rgba(0,0,0,.55)"; pen.lineWidth = 2; pen.stroke();
      pen.strokeStyle = "rgba(255,221,87,.9)"; pen.lineWidth = 0.9; pen.stroke();
      return;
    }
    for (let r = Math.floor(step / 2); r < rows; r += step) for (let c = Math.floor(step / 2); c < columns; c += step) {
      const [x0, y0, x1, y1] = ends(r, c), ax = sight.x(x0), ay = sight.y(y0), bx = sight.x(x1), by = sight.y(y1), size = Math.hypot(bx - ax, by - ay);
      if (size < 1) continue;
      pen.moveTo(ax, ay); pen.lineTo(bx, by); head(pen, bx, by, Math.atan2(by - ay, bx - ax), Math.min(5, size / 2 + 1));
    }
    lined(pen, "#ffdd57", 1.2);
  };

  const cross = (pen, sight, cursor, size) => {
    const [, down, across] = PLANES[sight.plane], x = sight.x(cursor[across] + 0.5), y = sight.y(row(sight, cursor[down]) + 0.5);
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, y - 9); pen.moveTo(x, y + 9); pen.lineTo(x, size[1]); pen.moveTo(0, y); pen.lineTo(x - 9, y); pen.moveTo(x + 9, y); pen.lineTo(size[0], y);
    pen.strokeStyle = "rgba(120,220,255,.55)"; pen.lineWidth = 1; pen.stroke();
  };

  // Sides of the body at the edges, and a bar of whole millimetres where the pixel size is known.
  const EDGES = { axial: "RLAP", coronal: "RLSI", sagittal: "APSI" };
  const frame = (pen, sight, found, size) => {
    if (found.oriented) {
      const [left, right, above, below] = EDGES[sight.plane], colour = "#dfe9f2";
      for (const [text, x, y] of [[left, 8, size[1] / 2], [right, size[0] - 18, size[1] / 2], [above, size[0] / 2, 18], [below, size[0] / 2, size[1] - 10]]) words(pen, text, x, y, colour);
    }
    if (!found.spacing) return;
    const perMm = Math.abs(sight.x(1) - sight.x(0)) / found.spacing[PLANES[sight.plane][2]];
    const length = [1, 2, 5, 10, 20, 50, 100, 200].reduce((best, mm) => (mm * perMm < size[0] / 3 ? mm : best), 1), x = 14, y = size[1] - 14;
    pen.beginPath(); pen.moveTo(x, y - 4); pen.lineTo(x, y); pen.lineTo(x + length * perMm, y); pen.lineTo(x + length * perMm, y - 4); lined(pen, "#dfe9f2", 1.6);
    words(pen, `${length} mm`, x + 3, y - 7, "#dfe9f2");
  };

  return { frame, outline, boxes, landmarks, displacement, longest, at, cross, row };
})());
