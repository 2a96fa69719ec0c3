// The form that asks for a map shows the fields of the chosen method only; the others are not sent.
"use strict";

(() => {
  const form = document.querySelector("form[data-ask-map]");
  if (!form) return;
  const method = form.querySelector("select[name=method]");
  const show = () => {
    for (const row of form.querySelectorAll("[data-methods]")) {
      row.hidden = !row.dataset.methods.split(" ").includes(method.value);
      for (const field of row.querySelectorAll("input, select")) field.disabled = row.hidden;
    }
  };
  method.addEventListener("change", show);
  show();
})();
