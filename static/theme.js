// Light or dark as the reader chose last; before the first paint, so that nothing flashes.
"use strict";
(() => {
  let chosen = null;
  try { chosen = window.localStorage.getItem("vigil-theme"); } catch { /* storage may be closed */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
