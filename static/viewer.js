// The image viewer: slices of an image with maps and marks over it, side by side, or one map in three planes that follow
// one place. Values come as 16-bit numbers with a slope; colours are made here.
"use strict";

(() => {
  const V = window.VigilViewer;
  const { PLANES, element, number, cut, top } = V;
  const SETTINGS = "opacity threshold ramp plane base field mask truth box boxes landmarks side".split(" ");

  class Viewer {
    constructor(root) {
      this.root = root;
      this.layers = JSON.parse(root.dataset.layers);
      const { maps } = this.layers;
      this.state = { plane: "axial", cursor: [0, 0, 0], zoom: 1, panX: 0, panY: 0, window: null, opacity: 0.6, threshold: 0.1, ramp: "auto", base: "own",
        field: "arrows", truth: true, mask: true, box: true, boxes: true, landmarks: true, maps: [maps.length ? 0 : -1, maps.length > 1 ? 1 : -1], side: false };
      this.cache = new Map();
      this.build();
      this.start();
    }

    get(url) {
      if (!url) return null;
      if (!this.cache.has(url)) this.cache.set(url, V.layer(url).catch((error) => { this.say(`A layer could not be read: ${error.message}`); return null; }));
      return this.cache.get(url);
    }

    say(text) { this.status.textContent = text; }
    map(pane) { return this.layers.maps[this.state.maps[this.state.plane === "all" ? 0 : pane]]; }
    plane(pane) { return this.state.plane === "all" ? ["axial", "coronal", "sagittal"][pane] : this.state.plane; }
    main() { return this.state.plane === "all" ? "axial" : this.state.plane; }

    build() {
      const { maps, landmarks = [] } = this.layers, has = (name) => maps.some((map) => map.extra[name]);
      const option = (value, text, chosen) => element("option", { value: String(value), selected: chosen }, text);
      const choose = (pane) => element("select", { "aria-label": pane ? "Second map" : "Map", "data-pane": String(pane) },
        option(-1, "image alone", this.state.maps[pane] === -1),
        ...maps.map((map, index) => option(index, `${map.title} · ${map.version}`, this.state.maps[pane] === index)));
      const pick = (name, label, choices) => element("select", { name, "aria-label": label }, ...choices.map(([value, text]) => option(value, text, this.state[name] === value)));
      const range = (name, text, max, step) => element("label", {}, `${text} `, element("input", { type: "range", name, min: "0", max: String(max), step: String(step), value: String(this.state[name]) }));
      const check = (name, text) => element("label", { class: "check" }, element("input", { type: "checkbox", name, checked: this.state[name] }), ` ${text}`);
      const own = maps.some((map) => map.base) ? "drawn image" : this.layers.image_title;
      const bases = [["own", own], ...(this.layers.moving ? [["moving", "moving image"]] : []), ...(has("warped") ? [["warped", "moving image, warped"], ["checker", "chequers of fixed and warped"]] : []),
        ...(has("without") ? [["without", maps.some((map) => map.extra.organ) ? "drawn with the other mask" : "drawn without the word"]] : [])];
      this.controls = element("div", { class: "viewer-controls" },
        choose(0), ...(maps.length > 1 ? [element("label", { class: "check" }, element("input", { type: "checkbox", name: "side" }), " side by side"), choose(1)] : []),
        pick("plane", "Plane", [...Object.keys(PLANES).map((name) => [name, name]), ["all", "three planes"]]), ...(bases.length > 1 ? [pick("base", "Image", bases)] : []),
        pick("ramp", "Colours", [["auto", "colours by kind of map"], ...Object.keys(V.RAMPS).map((name) => [name, name])]),
        ...(has("displacement") ? [pick("field", "Displacement", [["arrows", "displacement as arrows"], ["grid", "displacement as grid"], ["off", "no displacement"]])] : []),
        range("opacity", "Opacity", 1, 0.05), range("threshold", "Hide below", 0.9, 0.02),
        ...(maps.some((map) => map.mask) ? [check("mask", "model's mask")] : []), ...(has("organ") ? [check("mask", "organ masks and lesion")] : []), ...(this.layers.truth ? [check("truth", "reader's mask")] : []),
        ...(this.layers.box ? [check("box", "box")] : []), ...(maps.some((map) => Object.keys(map.boxes).length) ? [check("boxes", "boxes")] : []),
        ...(landmarks.length || maps.some((map) => map.landmark) ? [check("landmarks", "landmarks")] : []),
        element("button", { type: "button", class: "button", "data-act": "reset" }, "Reset view"), element("button", { type: "button", class: "button", "data-act": "png" }, "Save view as PNG"));
      this.pane = [0, 1, 2].map((index) => {
        const canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": ["Image", "Image, second pane", "Image, third pane"][index] });
        const legend = element("canvas", { class: "legend", width: 240, height: 14 });
        const caption = element("figcaption", { class: "small" });
        const figure = element("figure", { class: "viewer-pane" }, canvas, element("div", { class: "legend-row small soft" }, element("span", { class: "low" }), legend, element("span", { class: "high" })), caption);
        figure.hidden = index > 0;
        return { canvas, legend, caption, figure, sight: null, index };
      });
      this.slider = element("input", { type: "range", name: "slice", min: "0", max: "0", step: "1", value: "0", "aria-label": "Slice" });
      this.sliceRow = element("label", { class: "slice-row small" }, "Slice ", this.slider, element("output", {}));
      this.status = element("p", { class: "small soft", role: "status" }, "Loading…");
      const landmark = document.querySelector("input[name=param_landmark]");
      this.root.append(this.controls, element("div", { class: "viewer-panes" }, ...this.pane.map((pane) => pane.figure)), this.sliceRow, this.status,
        element("p", { class: "small soft" }, `Drag: brightness and contrast. Shift or middle button and drag: move. Click in a volume: all planes go there${landmark ? "; double click: takes the place as landmark of the next map" : ""}. Wheel: slices, or zoom with Ctrl and on single images. Keys: arrow up and down for slices, + and − to zoom, W to reset brightness, 0 to reset.`));
      this.listen(landmark);
    }

    listen(landmark) {
      const wish = (event) => {
        const { name, type, checked, value, dataset } = event.target;
        if (dataset.pane) this.state.maps[Number(dataset.pane)] = Number(value);
        else if (SETTINGS.includes(name)) this.state[name] = type === "checkbox" ? checked : type === "range" ? Number(value) : value;
        this.draw();
      };
      this.controls.addEventListener("input", wish);
      this.controls.addEventListener("change", wish); // select boxes of some browsers say only this
      this.controls.addEventListener("click", (event) => {
        const act = event.target.dataset.act;
        if (act === "reset") this.reset();
        if (act === "png") this.save();
      });
      this.slider.addEventListener("input", () => { this.go(Number(this.slider.value)); });
      for (const pane of this.pane) {
        let drag = null;
        pane.canvas.addEventListener("pointerdown", (event) => {
          drag = { x: event.clientX, y: event.clientY, move: event.shiftKey || event.button === 1, window: [...this.window()], pan: [this.state.panX, this.state.panY], far: false };
          pane.canvas.setPointerCapture(event.pointerId);
        });
        pane.canvas.addEventListener("pointermove", (event) => {
          if (!drag) { this.tell(pane, event); return; }
          const x = event.clientX - drag.x, y = event.clientY - drag.y;
          drag.far = drag.far || Math.hypot(x, y) > 3;
          if (!drag.far) return;
          if (drag.move) { this.state.panX = drag.pan[0] + x; this.state.panY = drag.pan[1] + y; }
          else {
            const limits = V.levels(this.image).range, range = limits[1] - limits[0] || 1;
            this.state.window = [drag.window[0] - (y / 300) * range, Math.max(drag.window[1] + (x / 300) * range, range / 500)];
          }
          this.draw();
        });
        pane.canvas.addEventListener("pointerup", (event) => {
          const at = drag && !drag.far && this.depth() > 1 ? this.under(pane, event) : null;
          drag = null;
          if (at) { this.state.cursor = at; this.draw(); }
        });
        pane.canvas.addEventListener("pointercancel", () => { drag = null; });
        pane.canvas.addEventListener("dblclick", (event) => {
          const at = landmark && this.under(pane, event);
          if (!at) return;
          landmark.value = V.voxel(this.image, at).join(",");
          this.picked = at;
          this.draw();
          this.say(`Voxel ${landmark.value} is the landmark of the next map: ask for it below.`);
        });
        pane.canvas.addEventListener("wheel", (event) => {
          event.preventDefault();
          if (this.depth() > 1 && !event.ctrlKey) this.step(event.deltaY > 0 ? 1 : -1, this.plane(pane.index));
          else this.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
        }, { passive: false });
        pane.canvas.addEventListener("keydown", (event) => {
          const plane = this.plane(pane.index);
          const acts = { ArrowUp: () => this.step(1, plane), ArrowDown: () => this.step(-1, plane), PageUp: () => this.step(10, plane), PageDown: () => this.step(-10, plane),
            "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.reset(), w: () => { this.state.window = null; this.draw(); } };
          const act = acts[event.key] || acts[event.key.toLowerCase()];
          if (act) { event.preventDefault(); act(); }
        });
      }
      window.addEventListener("resize", () => this.draw());
    }

    reset() { Object.assign(this.state, { zoom: 1, panX: 0, panY: 0, window: null }); this.draw(); }
    zoom(factor) { this.state.zoom = Math.min(Math.max(this.state.zoom * factor, 0.5), 16); this.draw(); }
    depth(plane = this.main()) { return this.image ? this.image.shape[PLANES[plane][0]] : 1; }
    go(slice, plane = this.main()) { this.state.cursor[PLANES[plane][0]] = Math.min(Math.max(slice, 0), this.depth(plane) - 1); this.draw(); }
    step(by, plane) { this.go(this.state.cursor[PLANES[plane || this.main()][0]] + by, plane || this.main()); }
    window() { return this.state.window || V.levels(this.image).auto; }

    async start() {
      const first = this.layers.maps[this.state.maps[0]];
      this.image = await this.get((first && first.base) || this.layers.image);
      if (!this.image) return;
      const flat = this.image.shape[0] === 1;
      this.controls.querySelector("[name=plane]").hidden = flat;
      this.sliceRow.hidden = flat;
      this.state.cursor = this.image.shape.map((side) => Math.floor(side / 2));
      if (!flat && first) {
        if (first.landmark) this.state.cursor = V.place(this.image, first.landmark);
        else this.strongest(await this.get(first.url));
      }
      this.say("");
      this.draw();
    }

    // A volume opens where the map is strongest.
    strongest(map) {
      if (!map) return;
      const [, rows, columns] = map.shape;
      let best = 0, most = -1;
      for (let i = 0; i < map.numbers.length; i++) { const size = Math.abs(map.numbers[i]); if (size > most) { most = size; best = i; } }
      this.state.cursor = [Math.floor(best / (rows * columns)), Math.floor(best / columns) % rows, best % columns];
    }

    base(chosen) {
      const { base } = this.state, own = (chosen && chosen.base) || this.layers.image, extra = (chosen && chosen.extra) || {};
      if (base === "moving") return [this.layers.moving, "moving image"];
      if (base === "warped" && extra.warped) return [extra.warped, "moving image, warped"];
      if (base === "without" && extra.without) return [extra.without, "drawn without it"];
      return [own, chosen && chosen.base ? "drawn image" : this.layers.image_title];
    }

    async draw() {
      if (!this.image) return;
      const turn = (this.turn = (this.turn || 0) + 1), all = this.state.plane === "all" && this.depth() > 1, { state, layers } = this;
      const shown = all ? 3 : state.side ? 2 : 1;
      this.pane.forEach((pane, index) => { pane.figure.hidden = index >= shown; });
      const second = this.controls.querySelector("[data-pane='1']");
      if (second) second.hidden = !state.side || all;
      this.slider.max = String(this.depth() - 1);
      this.slider.value = String(state.cursor[PLANES[this.main()][0]]);
      this.sliceRow.querySelector("output").textContent = ` ${Number(this.slider.value) + 1} of ${this.depth()}`;
      for (const pane of this.pane.slice(0, shown)) {
        const chosen = this.map(pane.index), extra = (chosen && chosen.extra) || {}, [url, title] = this.base(chosen);
        const want = (on, address) => (on && address ? this.get(address) : null);
        const got = await Promise.all([this.get(url), chosen ? this.get(chosen.url) : null, want(state.mask, chosen && chosen.mask), want(state.truth, layers.truth),
          want(extra.displacement && (state.field !== "off" || state.landmarks), extra.displacement), want(state.base === "checker", extra.warped),
          want(state.mask, extra.organ), want(state.mask, extra.organ_changed), want(state.mask, extra.lesion)]);
        if (turn !== this.turn) return; // a newer wish came meanwhile
        const [image, map, mask, truth, field, other, organ, changed, lesion] = got;
        if (image) this.paint(pane, chosen, { image, title, map, mask, truth, field, other, organ, changed, lesion });
      }
    }

    paint(pane, chosen, got) {
      const { state } = this, plane = this.plane(pane.index), slice = state.cursor[PLANES[plane][0]], { image, map } = got;
      const grey = cut(image, plane, slice), over = map && cut(map, plane, slice), other = got.other && cut(got.other, plane, slice);
      const { width, height } = grey, pixels = new ImageData(width, height);
      const level = (found) => { const [centre, breadth] = state.window || V.levels(found).auto; return [centre - breadth / 2, breadth]; };
      const [low, breadth] = level(image), second = got.other && level(got.other), tile = Math.max(4, Math.round(Math.max(width, height) / 10));
      const ramp = state.ramp === "auto" ? (chosen && chosen.signed ? "blue-orange" : "viridis") : state.ramp;
      const colours = V.table(ramp), most = map ? top(map) : 1;
      for (let i = 0; i < width * height; i++) {
        const x = i % width, y = Math.floor(i / width), swap = other && (Math.floor(x / tile) + Math.floor(y / tile)) % 2;
        let value = swap ? ((other.values[i] * got.other.slope + got.other.offset - second[0]) / second[1]) * 255 : ((grey.values[i] * image.slope + image.offset - low) / breadth) * 255;
        value = Math.min(Math.max(value, 0), 255);
        let red = value, green = value, blue = value;
        if (over) {
          const part = Math.min(Math.max(over.values[i] / most, -1), 1), size = Math.abs(part);
          if (size > state.threshold && (chosen.signed || part > 0)) {
            const place = 3 * Math.round((chosen.signed ? (part + 1) / 2 : part) * 255), alpha = state.opacity * (0.35 + 0.65 * size);
            red += alpha * (colours[place] - red); green += alpha * (colours[place + 1] - green); blue += alpha * (colours[place + 2] - blue);
          }
        }
        pixels.data.set([red, green, blue, 255], 4 * i);
      }
      const room = Math.max(200, Math.floor(pane.figure.clientWidth || 560));
      const scale = Math.min(room / width, (0.72 * window.innerHeight) / (height * grey.stretch)), ratio = window.devicePixelRatio || 1;
      const size = [Math.round(width * scale), Math.round(height * grey.stretch * scale)];
      pane.canvas.width = size[0] * ratio; pane.canvas.height = size[1] * ratio;
      pane.canvas.style.width = `${size[0]}px`; pane.canvas.style.height = `${size[1]}px`;
      const source = document.createElement("canvas");
      source.width = width; source.height = height;
      source.getContext("2d").putImageData(pixels, 0, 0);
      const pen = pane.canvas.getContext("2d"), { zoom, panX, panY } = state;
      const x0 = (size[0] / 2) * (1 - zoom) + panX, y0 = (size[1] / 2) * (1 - zoom) + panY;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = "#000"; pen.fillRect(0, 0, ...size);
      pen.imageSmoothingEnabled = zoom * scale < 4;
      pen.drawImage(source, x0, y0, size[0] * zoom, size[1] * zoom);
      const sight = { plane, slice, shape: image.shape, upright: grey.upright, x: (x) => x0 + x * scale * zoom, y: (y) => y0 + y * scale * grey.stretch * zoom };
      pane.sight = { ...sight, x0, y0, across: scale * zoom, down: scale * zoom * grey.stretch, grey, over, image, map, chosen, width, height };
      this.overlays(pen, sight, chosen, got, size);
      this.explain(pane, chosen, got, most, colours);
    }

    overlays(pen, sight, chosen, got, size) {
      const { state, layers } = this, at = (found) => cut(found, sight.plane, sight.slice);
      for (const [found, colour, dash] of [[got.mask, "#ffffff", []], [got.truth, "#4ce0e0", [5, 3]], [got.organ, "#ffffff", []], [got.changed, "#e69f00", [5, 3]], [got.lesion, "#ff6ec7", []]]) if (found) V.outline(pen, sight, at(found), colour, dash);
      if (got.field && state.field !== "off") V.displacement(pen, sight, got.field, state.field);
      if (layers.box && state.box && this.image.shape[0] === 1) {
        const [bx0, by0, bx1, by1] = layers.box;
        pen.setLineDash([8, 5]); pen.lineWidth = 2; pen.strokeStyle = "#ffdd57";
        pen.strokeRect(sight.x(bx0), sight.y(by0), sight.x(bx1) - sight.x(bx0), sight.y(by1) - sight.y(by0)); pen.setLineDash([]);
      }
      if (state.boxes && chosen) V.boxes(pen, sight, this.image, chosen.boxes);
      const marks = state.landmarks ? [...(layers.landmarks || [])] : [];
      if (state.landmarks && chosen && chosen.landmark) { const place = V.place(this.image, chosen.landmark); marks.push({ name: "landmark", place, arrow: got.field ? V.at(got.field, place) : null }); }
      if (this.picked) marks.push({ name: "next landmark", place: this.picked });
      V.landmarks(pen, sight, marks);
      V.frame(pen, sight, got.image, size);
      if (state.plane === "all" && this.depth() > 1) V.cross(pen, sight, state.cursor, size);
    }

    explain(pane, chosen, got, most, colours) {
      const { map, field } = got, row = pane.figure.querySelector(".legend-row"), plane = this.depth() > 1 ? `${this.plane(pane.index)} ${pane.sight.slice + 1}, ` : "";
      row.hidden = !map;
      const moved = field && this.state.field !== "off" ? `; largest displacement ${number(V.longest(field))} mm` : "";
      if (!map) { pane.caption.textContent = `${plane}${got.title} alone`; return; }
      const strip = new ImageData(240, 14);
      for (let x = 0; x < 240; x++) for (let y = 0; y < 14; y++) { const c = 3 * Math.round((x / 239) * 255); strip.data.set([colours[c], colours[c + 1], colours[c + 2], 255], 4 * (y * 240 + x)); }
      pane.legend.getContext("2d").putImageData(strip, 0, 0);
      row.querySelector(".low").textContent = chosen.signed ? `−${number(most * map.slope)}` : "0";
      row.querySelector(".high").textContent = `${number(most * map.slope)} ${chosen.unit}`;
      const about = chosen.target ? ` of ${chosen.target}` : "";
      pane.caption.textContent = `${plane}${chosen.name}${about}, ${chosen.version}, on the ${this.state.base === "checker" && got.other ? "fixed and warped image" : got.title}; ${chosen.signed ? "orange raises, blue lowers the target" : "brighter is stronger"}${moved}`;
    }

    // The place under the pointer in slice, row and column, or null outside the image.
    under(pane, event) {
      const sight = pane.sight;
      if (!sight) return null;
      const box = pane.canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left - sight.x0) / sight.across), y = Math.floor((event.clientY - box.top - sight.y0) / sight.down);
      if (x < 0 || y < 0 || x >= sight.width || y >= sight.height) return null;
      const [through, down, across] = PLANES[sight.plane], at = [0, 0, 0];
      at[through] = sight.slice; at[down] = V.row(sight, y); at[across] = x;
      return at;
    }

    tell(pane, event) {
      const at = this.under(pane, event), sight = pane.sight;
      if (!at) { this.say(""); return; }
      const [, down, across] = PLANES[sight.plane], index = V.row(sight, at[down]) * sight.width + at[across];
      const grey = sight.grey.values[index] * sight.image.slope + sight.image.offset, unit = this.layers.unit && !(sight.chosen && sight.chosen.base) ? ` ${this.layers.unit}` : "";
      const value = sight.over ? `, map ${number(sight.over.values[index] * sight.map.slope)} ${sight.chosen.unit}` : "";
      const where = this.depth() > 1 ? `voxel ${V.voxel(this.image, at).join(", ")}` : `column ${at[2]}, row ${at[1]}`;
      this.say(`${where}: image ${number(grey)}${unit}${value}`);
    }

    save() {
      const shown = this.pane.filter((pane) => !pane.figure.hidden), whole = document.createElement("canvas");
      whole.width = shown.reduce((sum, pane) => sum + pane.canvas.width, 0); whole.height = Math.max(...shown.map((pane) => pane.canvas.height)) + 24;
      const pen = whole.getContext("2d");
      pen.fillStyle = "#000"; pen.fillRect(0, 0, whole.width, whole.height);
      let left = 0;
      for (const pane of shown) { pen.drawImage(pane.canvas, left, 0); pen.fillStyle = "#fff"; pen.font = "14px sans-serif"; pen.fillText(pane.caption.textContent, left + 6, whole.height - 7, pane.canvas.width - 12); left += pane.canvas.width; }
      whole.toBlob((blob) => { const link = element("a", { download: "view.png" }); link.href = URL.createObjectURL(blob); link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000); });
    }
  }

  for (const root of document.querySelectorAll(".viewer[data-layers]")) new Viewer(root);
})();
