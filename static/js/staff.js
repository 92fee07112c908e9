// Dialogs for what would otherwise be pages of their own, and the price of what is being typed.

import { countDown } from "./countdown.js";

// What a job's page needs to come alive: all of the document, or the panel that has just been filled.
export function begin(root) {
  dialogs(root);
  prices(root);
  readings(root);
  countDown(root);
  sendOnce(root);
  for (const button of root.querySelectorAll("[data-copy-path]")) button.hidden = false;
}

function dialogs(root) {
  for (const link of root.querySelectorAll("[data-dialog]")) {
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
}

function open(dialog) {
  dialog.showModal();
  dialog.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("dialog [data-close]")) event.target.closest("dialog").close();
});

// A link from the dashboard (…#approve) opens what it names; a step that stands open already is begun.
export function beginStep(action) {
  const dialog = document.getElementById(`dialog-${action}`);
  if (dialog) open(dialog);
  else document.getElementById(`form-${action}`)?.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

if (window.location.hash) {
  const action = window.location.hash.slice(1);
  // Coming back to this page must not open it again.
  history.replaceState(null, "", window.location.pathname + window.location.search);
  beginStep(action);
}

// Null where there is no network, or nobody is logged in any more: the page works without.
async function ask(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error" });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

const PRICED = ["weight_g", "volume_ml", "for_copies"];
function prices(root) {
  for (const form of root.querySelectorAll("form[data-quote]")) {
    const output = [...form.elements].find((part) => part.matches("output"));
    let questions = 0;
    const price = async () => {
      const mine = ++questions;
      const figures = new URLSearchParams();
      for (const name of PRICED) {
        const value = form.elements[name]?.value.trim();
        if (value) figures.set(name, value);
      }
      if (!figures.has("weight_g") && !figures.has("volume_ml")) { output.textContent = "type the weight to see it"; return; }
      if (form.elements.for_copies && !figures.has("for_copies")) { output.textContent = "say how many copies these figures are for"; return; }
      const answer = await ask(`${form.dataset.quote}?${figures}`);
      if (mine === questions) output.textContent = answer?.text || "…";
    };
    form.addEventListener("input", (event) => { if (PRICED.includes(event.target.name)) price(); });
    price();
    form.addEventListener("figures", price);
  }
}

// What the chosen files say of themselves is filled in, but never over what somebody typed.
function readings(root) {
  for (const form of root.querySelectorAll("form[data-read]")) {
    const typed = new Set();
    let questions = 0;
    form.addEventListener("input", (event) => typed.add(event.target.name));
    form.addEventListener("change", async (event) => {
      if (event.target.name !== "print_file") return;
      const mine = ++questions;
      const chosen = [...form.querySelectorAll("[name=print_file]:checked")].map((box) => ["print_file", box.value]);
      const defaults = await ask(`${form.dataset.read}?${new URLSearchParams(chosen)}`);
      if (!defaults || mine !== questions) return;
      for (const name of ["weight_g", "volume_ml", "time_h", "material"]) {
        const field = form.elements[name];
        const fits = !field?.options || [...field.options].some((option) => option.value === defaults[name]);
        if (fits && field && !typed.has(name) && defaults[name] !== null) field.value = defaults[name];
        else if (name === "material" && !typed.has(name)) field.value = "";  // that of another file would be wrong
      }
      const copies = form.elements.for_copies;
      if (copies && !typed.has("for_copies")) copies.value = defaults.for_copies ?? "";
      const source = form.querySelector(".read-source");
      source.hidden = !defaults.source;
      source.textContent = `Filled in ${defaults.source}.`;
      form.querySelector(".read-remarks").replaceChildren(...defaults.remarks.map((remark) => {
        const line = document.createElement("li");
        line.textContent = remark;
        return line;
      }));
      form.dispatchEvent(new Event("figures"));
    });
  }
}

// One click, one action: a form that was sent is not sent again while the answer is on its way.
function sendOnce(root) {
  for (const form of root.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    });
  }
}

window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
document.querySelector(".error-summary")?.focus();
begin(document);
