// Values under the pointer and at the keyboard, one cursor through all charts, zoom by dragging, and downloads.
// Charts are complete without this file; it reads the numbers from the page's #chart-data.
"use strict";

(() => {
  const source = document.getElementById("chart-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const [LEFT, RIGHT] = [44, 10]; // as assurance/charts/panel.py draws
  const STATES = { o: "ok", w: "watch", a: "act", i: "insufficient", "-": "no window" };
  const SVG = "http://www.w3.org/2000/svg";
  const panels = [...document.querySelectorAll("svg.panel")].filter((svg) => data.panels[svg.dataset.panel]);
  const WIDTH = panels.length ? panels[0].viewBox.baseVal.width : 460;
  const words = document.getElementById("chart-voice");
  const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const short = (value) => (value === null || value === undefined ? "no value" : Number(value.toPrecision(3)).toString());
  const across = (seconds) => LEFT + ((seconds - data.axis[0]) / (data.axis[1] - data.axis[0])) * (WIDTH - LEFT - RIGHT);
  const moment = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    return data.axis[0] + ((x - LEFT) / (WIDTH - LEFT - RIGHT)) * (data.axis[1] - data.axis[0]);
  };
  const nearest = (times, seconds) => {
    let best = 0;
    for (let i = 1; i < times.length; i += 1) if (Math.abs(times[i] - seconds) < Math.abs(times[best] - seconds)) best = i;
    return best;
  };
  const told = (one, i) => {
    const unit = one.u ? ` ${one.u}` : "";
    const spread = one.l && one.l[i] !== null ? ` (${short(one.l[i])} to ${short(one.h[i])})` : "";
    const chance = one.c && one.c[i] !== null ? `, chance alone up to ${short(one.c[i])}` : "";
    return `${day(one.t[i])}: ${short(one.v[i])}${unit}${spread}, n = ${one.n[i]}, ${STATES[one.s[i]]}${chance}`;
  };

  // One cursor for all charts; a pinned one stays until it is pinned elsewhere or Escape is pressed.
  let pinned = null;
  const cursorOf = (svg) => {
    let line = svg.querySelector(".cursor");
    if (!line) {
      line = document.createElementNS(SVG, "path");
      line.setAttribute("class", "cursor");
      svg.append(line);
    }
    return line;
  };
  const show = (seconds, isPinned = false) => {
    for (const svg of panels) {
      const one = data.panels[svg.dataset.panel];
      const i = nearest(one.t, seconds);
      const far = Math.abs(one.t[i] - seconds) > (data.axis[1] - data.axis[0]) / 12;
      const height = svg.viewBox.baseVal.height;
      cursorOf(svg).setAttribute("d", far ? "" : `M${across(one.t[i]).toFixed(1)} 8V${height - 22}`);
      svg.classList.toggle("pinned", isPinned);
      const readout = document.querySelector(`[data-readout="${svg.dataset.panel}"]`);
      if (readout) readout.textContent = far ? "no window here" : told(one, i);
    }
  };
  const clear = () => {
    if (pinned !== null) { show(pinned, true); return; }
    for (const svg of panels) {
      cursorOf(svg).setAttribute("d", "");
      const readout = document.querySelector(`[data-readout="${svg.dataset.panel}"]`);
      if (readout) readout.textContent = readout.dataset.rest;
    }
  };

  // What lies behind one value opens in the dialog, which is also a page of its own.
  const dialog = document.getElementById("window-dialog");
  const open = (signal, seconds) => {
    if (!dialog || !dialog.dataset.address) return;
    const query = new URLSearchParams({ signal, stratum: data.stratum, end: String(seconds) });
    window.htmx.ajax("GET", `${dialog.dataset.address}?${query}`, { target: "#window-content", swap: "innerHTML" })
      .then(() => { if (!dialog.open) dialog.showModal(); });
  };

  const form = document.getElementById("chart-filters");
  const iso = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  for (const svg of panels) {
    const one = data.panels[svg.dataset.panel];
    const signal = svg.closest("[data-signal]")?.dataset.signal ?? "";
    let from = null;
    let box = null;
    let at = one.t.length - 1;
    svg.addEventListener("pointerdown", (event) => { if (event.button === 0) from = moment(svg, event); });
    svg.addEventListener("pointermove", (event) => {
      const here = moment(svg, event);
      if (from !== null && form && Math.abs(across(here) - across(from)) > 8) {
        if (!box) {
          box = document.createElementNS(SVG, "rect");
          box.setAttribute("class", "brush");
          box.setAttribute("y", "8");
          box.setAttribute("height", String(svg.viewBox.baseVal.height - 30));
          svg.append(box);
          svg.setPointerCapture(event.pointerId);
        }
        box.setAttribute("x", String(Math.min(across(from), across(here))));
        box.setAttribute("width", String(Math.abs(across(here) - across(from))));
      } else if (pinned === null) show(here);
    });
    svg.addEventListener("pointerup", (event) => {
      const here = moment(svg, event);
      if (box && form) {
        form.elements.from.value = iso(Math.min(from, here));
        form.elements.to.value = iso(Math.max(from, here));
        form.requestSubmit();
      } else if (from !== null) {
        at = nearest(one.t, here);
        pinned = one.t[at];
        show(pinned, true);
        open(signal, one.t[at]);
      }
      from = null;
    });
    svg.addEventListener("pointerleave", () => { if (!box) { from = null; clear(); } });
    svg.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -one.t.length, End: one.t.length };
      if (event.key in steps) {
        at = Math.max(0, Math.min(one.t.length - 1, at + steps[event.key]));
        show(one.t[at]);
        if (words) words.textContent = told(one, at);
        event.preventDefault();
      } else if (event.key === "Enter" || event.key === " ") {
        pinned = one.t[at];
        show(pinned, true);
        open(signal, one.t[at]);
        event.preventDefault();
      } else if (event.key === "Escape") { pinned = null; clear(); }
    });
  }

  // The strip tells signal, window and state; a click opens the window.
  const strip = document.querySelector("svg.strip");
  if (strip && data.strip) {
    const [label, cell, row] = ["label", "cell", "row"].map((name) => Number(strip.dataset[name]));
    const readout = document.getElementById("strip-readout");
    let place = [0, data.strip.t.length - 1];
    const ring = document.createElementNS(SVG, "rect");
    ring.setAttribute("class", "ring");
    const tell = ([down, right]) => {
      place = [down, right];
      for (const [name, value] of [["x", label + right * cell - 1], ["y", down * row], ["width", cell], ["height", row]]) ring.setAttribute(name, String(value));
      strip.append(ring);
      const text = `${data.strip.names[down]}, window until ${day(data.strip.t[right])}: ${STATES[data.strip.s[down][right]]}`;
      if (readout) readout.textContent = text;
      return text;
    };
    const find = (event) => {
      const box = strip.getBoundingClientRect();
      const scale = strip.viewBox.baseVal.width / box.width;
      const down = Math.floor(((event.clientY - box.top) * scale) / row);
      const right = Math.floor(((event.clientX - box.left) * scale - label) / cell);
      return down >= 0 && down < data.strip.names.length && right >= 0 && right < data.strip.t.length ? [down, right] : null;
    };
    const enter = ([down, right]) => open(data.strip.keys[down].split(":").slice(1).join(":"), data.strip.t[right]);
    strip.addEventListener("pointermove", (event) => { const spot = find(event); if (spot) { tell(spot); if (pinned === null) show(data.strip.t[spot[1]]); } });
    strip.addEventListener("pointerleave", clear);
    strip.addEventListener("click", (event) => { const spot = find(event); if (spot) enter(spot); });
    strip.addEventListener("keydown", (event) => {
      const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (event.key in steps) {
        const [down, right] = steps[event.key];
        const text = tell([
          Math.max(0, Math.min(data.strip.names.length - 1, place[0] + down)),
          Math.max(0, Math.min(data.strip.t.length - 1, place[1] + right)),
        ]);
        if (words) words.textContent = text;
        event.preventDefault();
      } else if (event.key === "Enter") enter(place);
    });
  }

  // A chart as a file: the picture carries its colours with it.
  const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family", "text-anchor"];
  const standalone = (svg, title) => {
    const copy = svg.cloneNode(true);
    const [now, then] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
    now.forEach((element, i) => {
      const style = getComputedStyle(element);
      for (const name of KEPT) then[i].setAttribute(name, style.getPropertyValue(name));
      then[i].removeAttribute("class");
    });
    const [width, height] = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];
    copy.setAttribute("xmlns", SVG);
    copy.setAttribute("width", String(width));
    copy.setAttribute("height", String(height + 22));
    copy.setAttribute("viewBox", `0 -22 ${width} ${height + 22}`);
    const ground = document.createElementNS(SVG, "rect");
    for (const [name, value] of [["x", 0], ["y", -22], ["width", width], ["height", height + 22], ["fill", getComputedStyle(document.body).backgroundColor]]) ground.setAttribute(name, String(value));
    const head = document.createElementNS(SVG, "text");
    for (const [name, value] of [["x", 6], ["y", -7], ["font-size", "12px"], ["font-family", "sans-serif"], ["fill", getComputedStyle(document.body).color]]) head.setAttribute(name, String(value));
    head.textContent = title;
    copy.prepend(ground, head);
    return [new XMLSerializer().serializeToString(copy), width, height + 22];
  };
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const holder = button.closest("[data-title]");
    const [text, width, height] = standalone(holder.querySelector("svg.chart"), holder.dataset.title);
    const name = holder.dataset.title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    const picture = new Blob([text], { type: "image/svg+xml" });
    if (button.dataset.save === "svg") { save(picture, `${name}.svg`); return; }
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * width, 2 * height];
      const pen = canvas.getContext("2d");
      pen.scale(2, 2);
      pen.drawImage(image, 0, 0);
      canvas.toBlob((blob) => save(blob, `${name}.png`), "image/png");
    });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  });
})();
