// The image viewer: slices of an image with a map, masks, a box and landmarks over it. Values come as 16-bit numbers
// with a slope; colours are made here. Two panes side by side compare methods or versions.
"use strict";

(() => {
  const RAMPS = {
    // Both ramps stay apart for colour-blind readers.
    viridis: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    cividis: [[0, 32, 77], [65, 77, 107], [124, 123, 120], [187, 175, 113], [255, 234, 70]],
    "blue-orange": [[5, 80, 174], [120, 170, 225], [245, 245, 245], [245, 160, 80], [190, 80, 0]],
  };
  const PLANES = { axial: [0, 1, 2], coronal: [1, 0, 2], sagittal: [2, 0, 1] };

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
    const kind = answer.headers.get("X-Kind"), bytes = await answer.arrayBuffer();
    const numbers = kind === "int16" ? new Int16Array(bytes) : new Uint8Array(bytes);
    const spacing = (answer.headers.get("X-Spacing") || "").split(",").filter(Boolean).map(Number);
    return {
      numbers, slope: Number(answer.headers.get("X-Slope")), offset: Number(answer.headers.get("X-Offset")),
      shape: answer.headers.get("X-Shape").split(",").map(Number), spacing: spacing.length === 3 ? spacing : null,
    };
  }

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && typeof value !== "string") made[name] = value; else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const number = (value) => (value === null || !Number.isFinite(value) ? "–" : Math.abs(value) >= 1000 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : value.toPrecision(3));

  class Viewer {
    constructor(root) {
      this.root = root;
      this.layers = JSON.parse(root.dataset.layers);
      this.state = { plane: "axial", slice: 0, zoom: 1, panX: 0, panY: 0, window: null, opacity: 0.6, threshold: 0.1, ramp: "auto",
        truth: true, mask: true, box: true, landmarks: true, panes: [0, this.layers.maps.length > 1 ? 1 : -1], side: false };
      this.cache = new Map();
      this.build();
      this.start();
    }

    get(url) {
      if (!this.cache.has(url)) this.cache.set(url, layer(url).catch((error) => { this.say(`A layer could not be read: ${error.message}`); return null; }));
      return this.cache.get(url);
    }

    say(text) { this.status.textContent = text; }

    build() {
      const { maps } = this.layers;
      const option = (value, text, chosen) => element("option", { value: String(value), selected: chosen }, text);
      const choose = (pane) => element("select", { "aria-label": pane ? "Second map" : "Map", "data-pane": String(pane) },
        option(-1, "image alone", this.state.panes[pane] === -1),
        ...maps.map((map, index) => option(index, `${map.title} · ${map.version}`, this.state.panes[pane] === index)));
      const range = (name, text, min, max, step, value) => element("label", {}, `${text} `, element("input", { type: "range", name, min: String(min), max: String(max), step: String(step), value: String(value) }));
      const check = (name, text) => element("label", { class: "check" }, element("input", { type: "checkbox", name, checked: this.state[name] }), ` ${text}`);
      this.controls = element("div", { class: "viewer-controls" },
        choose(0), element("label", { class: "check" }, element("input", { type: "checkbox", name: "side" }), " side by side"), choose(1),
        element("select", { name: "plane", "aria-label": "Plane" }, ...Object.keys(PLANES).map((name) => option(name, name, name === "axial"))),
        element("select", { name: "ramp", "aria-label": "Colours" }, option("auto", "colours by kind of map", true), ...Object.keys(RAMPS).map((name) => option(name, name, false))),
        range("opacity", "Opacity", 0, 1, 0.05, this.state.opacity), range("threshold", "Hide below", 0, 0.9, 0.02, this.state.threshold),
        check("mask", "model's mask"), check("truth", "reader's mask"), check("box", "box"), check("landmarks", "landmarks"),
        element("button", { type: "button", class: "button", "data-act": "reset" }, "Reset view"), element("button", { type: "button", class: "button", "data-act": "png" }, "Save view as PNG"));
      this.pane = [0, 1].map((index) => {
        const canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": `Image${index ? ", second map" : ""}` });
        const legend = element("canvas", { class: "legend", width: 240, height: 14 });
        const caption = element("figcaption", { class: "small" });
        const figure = element("figure", { class: "viewer-pane" }, canvas, element("div", { class: "legend-row small soft" }), caption);
        figure.querySelector(".legend-row").append(element("span", { class: "low" }), legend, element("span", { class: "high" }));
        return { canvas, legend, caption, figure, place: null };
      });
      this.slider = element("input", { type: "range", name: "slice", min: "0", max: "0", step: "1", value: "0", "aria-label": "Slice" });
      this.sliceRow = element("label", { class: "slice-row small" }, "Slice ", this.slider, element("output", {}));
      this.status = element("p", { class: "small soft", role: "status" }, "Loading…");
      this.root.append(this.controls, element("div", { class: "viewer-panes" }, ...this.pane.map((pane) => pane.figure)), this.sliceRow, this.status,
        element("p", { class: "small soft" }, "Drag with the left button: brightness and contrast. Shift or middle button and drag: move. Wheel: slices, or zoom with Ctrl and on single images. Keys: arrow up and down for slices, + and − to zoom, W to reset brightness, 0 to reset."));
      this.pane[1].figure.hidden = true;
      this.listen();
    }

    listen() {
      this.controls.addEventListener("input", (event) => {
        const { name, type, checked, value, dataset } = event.target;
        if (dataset.pane) this.state.panes[Number(dataset.pane)] = Number(value);
        else if (type === "checkbox") this.state[name] = checked;
        else if (type === "range") this.state[name] = Number(value);
        else this.state[name] = value;
        if (name === "plane") this.state.slice = Math.floor(this.depth() / 2);
        this.draw();
      });
      this.controls.addEventListener("click", (event) => {
        const act = event.target.dataset.act;
        if (act === "reset") this.reset();
        if (act === "png") this.save();
      });
      this.slider.addEventListener("input", () => { this.state.slice = Number(this.slider.value); this.draw(); });
      for (const pane of this.pane) {
        let drag = null;
        pane.canvas.addEventListener("pointerdown", (event) => {
          drag = { x: event.clientX, y: event.clientY, move: event.shiftKey || event.button === 1, window: [...this.window()], pan: [this.state.panX, this.state.panY] };
          pane.canvas.setPointerCapture(event.pointerId);
        });
        pane.canvas.addEventListener("pointermove", (event) => {
          if (!drag) { this.tell(pane, event); return; }
          const x = event.clientX - drag.x, y = event.clientY - drag.y;
          if (drag.move) { this.state.panX = drag.pan[0] + x; this.state.panY = drag.pan[1] + y; }
          else {
            const range = this.limits[1] - this.limits[0] || 1;
            this.state.window = [drag.window[0] - (y / 300) * range, Math.max(drag.window[1] + (x / 300) * range, range / 500)];
          }
          this.draw();
        });
        pane.canvas.addEventListener("pointerup", () => { drag = null; });
        pane.canvas.addEventListener("pointercancel", () => { drag = null; });
        pane.canvas.addEventListener("wheel", (event) => {
          event.preventDefault();
          if (this.depth() > 1 && !event.ctrlKey) this.step(event.deltaY > 0 ? 1 : -1);
          else this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
        }, { passive: false });
        pane.canvas.addEventListener("keydown", (event) => {
          const acts = { ArrowUp: () => this.step(1), ArrowDown: () => this.step(-1), PageUp: () => this.step(10), PageDown: () => this.step(-10),
            "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.reset(), w: () => { this.state.window = null; this.draw(); } };
          const act = acts[event.key] || acts[event.key.toLowerCase()];
          if (act) { event.preventDefault(); act(); }
        });
      }
      window.addEventListener("resize", () => this.draw());
    }

    reset() { Object.assign(this.state, { zoom: 1, panX: 0, panY: 0, window: null }); this.draw(); }
    zoom(factor) { this.state.zoom = Math.min(Math.max(this.state.zoom * factor, 0.5), 16); this.draw(); }
    step(by) { this.state.slice = Math.min(Math.max(this.state.slice + by, 0), this.depth() - 1); this.draw(); }
    depth() { return this.image ? this.image.shape[PLANES[this.state.plane][0]] : 1; }
    window() { return this.state.window || this.auto; }

    async start() {
      this.image = await this.get(this.layers.image);
      if (!this.image) return;
      const { numbers, slope, offset } = this.image;
      const sample = [];
      for (let i = 0; i < numbers.length; i += Math.max(1, Math.floor(numbers.length / 20000))) sample.push(numbers[i] * slope + offset);
      sample.sort((a, b) => a - b);
      const low = sample[Math.floor(sample.length * 0.005)], high = sample[Math.floor(sample.length * 0.995)];
      this.limits = [sample[0], sample[sample.length - 1]];
      this.auto = [(low + high) / 2, Math.max(high - low, 1e-6)];
      const flat = this.image.shape[0] === 1;
      this.controls.querySelector("[name=plane]").hidden = flat;
      this.sliceRow.hidden = flat;
      this.state.slice = Math.floor(this.depth() / 2);
      if (!flat) await this.toStrongest();
      this.say("");
      this.draw();
    }

    // A volume opens on the slice where the map is strongest.
    async toStrongest() {
      const chosen = this.layers.maps[this.state.panes[0]];
      const map = chosen && (await this.get(chosen.url));
      if (!map) return;
      const [slices, rows, columns] = map.shape;
      let best = 0, most = -1;
      for (let s = 0; s < slices; s++) {
        let sum = 0;
        for (let i = s * rows * columns; i < (s + 1) * rows * columns; i += 3) sum += Math.abs(map.numbers[i]);
        if (sum > most) { most = sum; best = s; }
      }
      this.state.slice = best;
    }

    // One plane of a layer: numbers with rows and columns. The head is up: slices run from feet to head.
    cut(found) {
      const [through, down, across] = PLANES[this.state.plane];
      const [, rows, columns] = found.shape;
      const strides = [rows * columns, columns, 1];
      const height = found.shape[down], width = found.shape[across], at = Math.min(this.state.slice, found.shape[through] - 1);
      const values = new found.numbers.constructor(height * width);
      const upright = this.state.plane !== "axial" && found.shape[0] > 1;
      for (let y = 0; y < height; y++) {
        const start = at * strides[through] + (upright ? height - 1 - y : y) * strides[down];
        for (let x = 0; x < width; x++) values[y * width + x] = found.numbers[start + x * strides[across]];
      }
      return { values, height, width, stretch: found.spacing ? found.spacing[down] / found.spacing[across] : 1 };
    }

    async draw() {
      if (!this.image) return;
      const turn = (this.turn = (this.turn || 0) + 1);
      this.pane[1].figure.hidden = !this.state.side;
      this.controls.querySelector("[data-pane='1']").hidden = !this.state.side;
      this.slider.max = String(this.depth() - 1);
      this.slider.value = String(this.state.slice);
      this.sliceRow.querySelector("output").textContent = ` ${this.state.slice + 1} of ${this.depth()}`;
      for (const [index, pane] of this.pane.entries()) {
        if (index && !this.state.side) continue;
        const chosen = this.layers.maps[this.state.panes[index]];
        const [map, mask, truth] = await Promise.all([
          chosen ? this.get(chosen.url) : null, chosen && chosen.mask && this.state.mask ? this.get(chosen.mask) : null,
          this.layers.truth && this.state.truth ? this.get(this.layers.truth) : null]);
        if (turn !== this.turn) return; // a newer wish came meanwhile
        this.paint(pane, chosen, map, mask, truth);
      }
    }

    paint(pane, chosen, map, mask, truth) {
      const grey = this.cut(this.image);
      const { width, height } = grey;
      const pixels = new ImageData(width, height);
      const [centre, breadth] = this.window();
      const low = centre - breadth / 2;
      const over = map && this.cut(map);
      const ramp = this.state.ramp === "auto" ? (chosen && chosen.signed ? "blue-orange" : "viridis") : this.state.ramp;
      const colours = table(ramp);
      const top = map ? this.top(map) : 1;
      for (let i = 0; i < width * height; i++) {
        let value = ((grey.values[i] * this.image.slope + this.image.offset - low) / breadth) * 255;
        value = Math.min(Math.max(value, 0), 255);
        let red = value, green = value, blue = value;
        if (over) {
          const part = Math.min(Math.max(over.values[i] / top, -1), 1), size = Math.abs(part);
          if (size > this.state.threshold && (chosen.signed || part > 0)) {
            const place = 3 * Math.round((chosen.signed ? (part + 1) / 2 : part) * 255);
            const alpha = this.state.opacity * (0.35 + 0.65 * size);
            red += alpha * (colours[place] - red); green += alpha * (colours[place + 1] - green); blue += alpha * (colours[place + 2] - blue);
          }
        }
        pixels.data.set([red, green, blue, 255], 4 * i);
      }
      const room = Math.max(260, Math.floor(pane.figure.clientWidth || 560));
      const scale = Math.min(room / width, (0.72 * window.innerHeight) / (height * grey.stretch));
      const ratio = window.devicePixelRatio || 1;
      const shownWidth = Math.round(width * scale), shownHeight = Math.round(height * grey.stretch * scale);
      pane.canvas.width = shownWidth * ratio; pane.canvas.height = shownHeight * ratio;
      pane.canvas.style.width = `${shownWidth}px`; pane.canvas.style.height = `${shownHeight}px`;
      const source = document.createElement("canvas");
      source.width = width; source.height = height;
      source.getContext("2d").putImageData(pixels, 0, 0);
      const pen = pane.canvas.getContext("2d");
      const { zoom, panX, panY } = this.state;
      const x0 = (shownWidth / 2) * (1 - zoom) + panX, y0 = (shownHeight / 2) * (1 - zoom) + panY;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = "#000"; pen.fillRect(0, 0, shownWidth, shownHeight);
      pen.imageSmoothingEnabled = zoom * scale < 4;
      pen.drawImage(source, x0, y0, shownWidth * zoom, shownHeight * zoom);
      const toX = (x) => x0 + x * scale * zoom, toY = (y) => y0 + y * scale * grey.stretch * zoom;
      pane.place = { x0, y0, scale: scale * zoom, stretch: grey.stretch, grey, over, map, chosen, width, height };
      if (mask) this.outline(pen, this.cut(mask), toX, toY, "#ffffff", []);
      if (truth) this.outline(pen, this.cut(truth), toX, toY, "#4ce0e0", [5, 3]);
      if (this.layers.box && this.state.box && this.image.shape[0] === 1) {
        const [bx0, by0, bx1, by1] = this.layers.box;
        pen.setLineDash([8, 5]); pen.lineWidth = 2; pen.strokeStyle = "#ffdd57";
        pen.strokeRect(toX(bx0), toY(by0), toX(bx1) - toX(bx0), toY(by1) - toY(by0)); pen.setLineDash([]);
      }
      if (this.state.landmarks) this.marks(pen, toX, toY, height);
      this.explain(pane, chosen, map, top, ramp, colours);
    }

    // Colours reach the 99.5th percentile of the whole layer, so that slices and zooms compare.
    top(map) {
      if (!map.top) {
        const sizes = [];
        for (let i = 0; i < map.numbers.length; i += Math.max(1, Math.floor(map.numbers.length / 50000))) sizes.push(Math.abs(map.numbers[i]));
        sizes.sort((a, b) => a - b);
        map.top = sizes[Math.floor(sizes.length * 0.995)] || sizes[sizes.length - 1] || 1;
      }
      return map.top;
    }

    outline(pen, cut, toX, toY, colour, dash) {
      const { values, width, height } = cut;
      const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && values[y * width + x] > 0;
      pen.beginPath();
      for (let y = 0; y <= height; y++) for (let x = 0; x <= width; x++) {
        if (inside(x, y) !== inside(x, y - 1)) { pen.moveTo(toX(x), toY(y)); pen.lineTo(toX(x + 1), toY(y)); }
        if (inside(x, y) !== inside(x - 1, y)) { pen.moveTo(toX(x), toY(y)); pen.lineTo(toX(x), toY(y + 1)); }
      }
      for (const [style, breadth] of [["#000", 3.2], [colour, 1.6]]) { pen.setLineDash(style === "#000" ? [] : dash); pen.strokeStyle = style; pen.lineWidth = breadth; pen.stroke(); }
      pen.setLineDash([]);
    }

    // Landmarks are {name, place: [slice, row, column]} in the viewer's axes; ``arrow`` is a displacement in voxels.
    marks(pen, toX, toY, height) {
      const [through, down, across] = PLANES[this.state.plane];
      const upright = this.state.plane !== "axial" && this.image.shape[0] > 1;
      for (const mark of this.layers.landmarks || []) {
        if (Math.abs(mark.place[through] - this.state.slice) > 2) continue;
        const x = toX(mark.place[across] + 0.5), row = upright ? height - 1 - mark.place[down] : mark.place[down], y = toY(row + 0.5);
        pen.strokeStyle = "#ff6ec7"; pen.fillStyle = "#ff6ec7"; pen.lineWidth = 2;
        pen.beginPath(); pen.arc(x, y, 6, 0, 2 * Math.PI); pen.moveTo(x - 10, y); pen.lineTo(x + 10, y); pen.moveTo(x, y - 10); pen.lineTo(x, y + 10);
        if (mark.arrow) { pen.moveTo(x, y); pen.lineTo(toX(mark.place[across] + 0.5 + mark.arrow[across]), toY(row + 0.5 + (upright ? -1 : 1) * mark.arrow[down])); }
        pen.stroke();
        if (mark.name) { pen.font = "13px sans-serif"; pen.fillText(mark.name, x + 12, y - 6); }
      }
    }

    explain(pane, chosen, map, top, ramp, colours) {
      const row = pane.figure.querySelector(".legend-row");
      row.hidden = !map;
      if (!map) { pane.caption.textContent = "The image alone"; return; }
      const strip = new ImageData(240, 14);
      for (let x = 0; x < 240; x++) for (let y = 0; y < 14; y++) { const c = 3 * Math.round((x / 239) * 255); strip.data.set([colours[c], colours[c + 1], colours[c + 2], 255], 4 * (y * 240 + x)); }
      pane.legend.getContext("2d").putImageData(strip, 0, 0);
      const limit = top * map.slope;
      row.querySelector(".low").textContent = chosen.signed ? `−${number(limit)}` : "0";
      row.querySelector(".high").textContent = `${number(limit)} ${chosen.unit}`;
      pane.caption.textContent = `${chosen.title}, ${chosen.version}, ${chosen.signed ? "orange raises, blue lowers the target" : "brighter is stronger"}`;
    }

    tell(pane, event) {
      const place = pane.place;
      if (!place) return;
      const box = pane.canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left - place.x0) / place.scale), y = Math.floor((event.clientY - box.top - place.y0) / (place.scale * place.stretch));
      if (x < 0 || y < 0 || x >= place.width || y >= place.height) { this.say(""); return; }
      const grey = place.grey.values[y * place.width + x] * this.image.slope + this.image.offset;
      const value = place.over ? `, map ${number(place.over.values[y * place.width + x] * place.map.slope)} ${place.chosen.unit}` : "";
      this.say(`column ${x}, row ${y}: image ${number(grey)}${this.layers.unit ? ` ${this.layers.unit}` : ""}${value}`);
    }

    save() {
      const shown = this.pane.filter((pane) => !pane.figure.hidden);
      const whole = document.createElement("canvas");
      whole.width = shown.reduce((sum, pane) => sum + pane.canvas.width, 0); whole.height = Math.max(...shown.map((pane) => pane.canvas.height)) + 24;
      const pen = whole.getContext("2d");
      pen.fillStyle = "#000"; pen.fillRect(0, 0, whole.width, whole.height);
      let left = 0;
      for (const pane of shown) { pen.drawImage(pane.canvas, left, 0); pen.fillStyle = "#fff"; pen.font = "14px sans-serif"; pen.fillText(pane.caption.textContent, left + 6, whole.height - 7); left += pane.canvas.width; }
      whole.toBlob((blob) => { const link = element("a", { download: "view.png" }); link.href = URL.createObjectURL(blob); link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000); });
    }
  }

  for (const root of document.querySelectorAll(".viewer[data-layers]")) new Viewer(root);
})();
