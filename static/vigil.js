// Small behaviours that every page shares. Nothing here is needed to read a page.
"use strict";

// A chart's points say what they are when the pointer or the keyboard reaches them.
(() => {
  let tip = null;
  const hide = () => { if (tip) { tip.remove(); tip = null; } };
  const show = (target) => {
    hide();
    const text = target.getAttribute("data-tip");
    if (!text) return;
    tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "tooltip");
    tip.textContent = text;
    document.body.append(tip);
    const box = target.getBoundingClientRect();
    const left = Math.min(box.left + window.scrollX + 12, window.scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${box.top + window.scrollY - tip.offsetHeight - 8}px`;
  };
  const find = (event) => event.target.closest ? event.target.closest("[data-tip]") : null;
  document.addEventListener("pointerover", (event) => { const target = find(event); if (target) show(target); else hide(); });
  document.addEventListener("focusin", (event) => { const target = find(event); if (target) show(target); });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();

// Dialogs open from any element that names them.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (dialog) { event.preventDefault(); dialog.showModal(); }
  }
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
});

// An irreversible act is asked for once more.
document.addEventListener("submit", (event) => {
  const question = event.target.getAttribute("data-confirm");
  if (question && !window.confirm(question)) event.preventDefault();
});

// Select boxes marked so send their form at once.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// Light, dark, or as the system says.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-toggle]");
  if (!button) return;
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  button.setAttribute("aria-pressed", String(!dark));
  try { window.localStorage.setItem("vigil-theme", root.dataset.theme); } catch { /* storage may be closed */ }
});

// Help opens beside what it explains; without this script its link leads to the same page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-help]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !window.htmx) return;
  const dialog = document.getElementById("help-dialog");
  if (!dialog) return;
  event.preventDefault();
  window.htmx.ajax("GET", link.getAttribute("href"), { target: "#help-content", swap: "innerHTML" })
    .then(() => { if (!dialog.open) dialog.showModal(); });
});

// A file dropped on a form goes into its file field, and the form is sent.
(() => {
  const zone = (event) => (event.dataTransfer?.types.includes("Files") ? event.target.closest?.("[data-drop]") : null);
  const mark = (form) => document.querySelectorAll("[data-drop]").forEach((one) => one.classList.toggle("dropping", one === form));
  document.addEventListener("dragover", (event) => { const form = zone(event); mark(form); if (form) event.preventDefault(); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(null); });
  document.addEventListener("drop", (event) => {
    const form = zone(event);
    mark(null);
    if (!form || !event.dataTransfer.files.length) return;
    event.preventDefault();
    form.elements[form.dataset.drop].files = event.dataTransfer.files;
    form.requestSubmit();
  });
})();
