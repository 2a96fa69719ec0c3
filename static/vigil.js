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
