// Dialogs for what would otherwise be pages of their own, and the price of what is being typed.

import { countDown } from "./countdown.js";

for (const link of document.querySelectorAll("[data-dialog]")) {
  const dialog = document.getElementById(link.dataset.dialog);
  if (!dialog) continue;
  link.setAttribute("role", "button");
  link.setAttribute("aria-haspopup", "dialog");
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(dialog);
  });
  link.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    open(dialog);
  });
}

function open(dialog) {
  dialog.showModal();
  dialog.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

// A link from the dashboard (…#approve) opens what it names.
const named = window.location.hash && document.getElementById(`dialog-${window.location.hash.slice(1)}`);
if (named) {
  // Coming back to this page must not open it again.
  history.replaceState(null, "", window.location.pathname + window.location.search);
  open(named);
}

async function priceOf(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error" });
    return answer.ok ? (await answer.json()).text : "";
  } catch {
    return "";  // no network, or logged out: the price comes with the approval
  }
}

for (const form of document.querySelectorAll("form[data-quote]")) {
  const output = form.querySelector("output");
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const figures = new URLSearchParams();
    for (const name of ["weight_g", "volume_ml"]) {
      const value = form.elements[name]?.value.trim();
      if (value) figures.set(name, value);
    }
    if (![...figures].length) { output.textContent = "type the weight to see it"; return; }
    const text = await priceOf(`${form.dataset.quote}?${figures}`);
    if (mine === asked) output.textContent = text || "…";
  };
  form.addEventListener("input", (event) => { if (["weight_g", "volume_ml"].includes(event.target.name)) ask(); });
  ask();
}

countDown(document);

// One click, one action: a form that was sent is not sent again while the answer is on its way.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.querySelector(".error-summary")?.focus();
