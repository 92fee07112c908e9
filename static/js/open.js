// Opens a file in this desktop's slicer, by the opener that is installed on it. A page cannot learn whether anything
// opened: the browser's own question takes the focus with and without an opener. So each click says what else there is.
// And copies a file's path as this desktop has it: each has its own name for the storage folder.

import { place } from "./toasts.js";

const ROOT = "printsys-storage-here";

async function open(form) {
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const { address } = await answer.json();
  window.location.assign(address);
  hint(form);
}

function hint(form) {
  const line = document.createElement("p");
  line.className = "open-hint";
  line.setAttribute("role", "status");
  const link = (address, words) => {
    const created = document.createElement("a");
    created.href = address;
    created.textContent = words;
    return created;
  };
  const how = link(`${document.documentElement.dataset.root}/dashboard/opener`, "Here is how");
  line.append(`${form.dataset.name} goes to the slicer. Nothing opened? `, how, ", or ", link(form.dataset.download, "download it"), ".");
  if (document.getElementById("bench")) {  // where the panel is drawn again as soon as the click is recorded
    const message = document.createElement("div");
    message.className = "alert alert-success flash";
    message.append(line);
    place(message);
    return;
  }
  if (form.nextElementSibling?.matches(".open-hint")) form.nextElementSibling.remove();
  form.after(line);
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-open]");
  if (!form) return;
  event.preventDefault();
  event.stopPropagation();
  try {
    await open(form);
  } catch {
    form.submit();  // the page without a script says what is wrong
  }
}, true);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-path]");
  if (!button) return;
  const remembered = localStorage.getItem(ROOT);
  const root = remembered ?? window.prompt("Where is the storage folder on this computer?", button.dataset.root);
  if (!root) return;
  localStorage.setItem(ROOT, root);
  const separator = root.includes("\\") ? "\\" : "/";
  const path = [root.replace(/[\\/]+$/, ""), ...button.dataset.copyPath.split("/")].join(separator);
  const label = button.firstChild;
  const text = label.textContent;
  try {
    await navigator.clipboard.writeText(path);
    label.textContent = "Copied";
  } catch {
    window.prompt("Copy the path:", path);  // over plain http a page may not write to the clipboard
  }
  setTimeout(() => { label.textContent = text; }, 1500);
});
for (const button of document.querySelectorAll("[data-copy-path]")) button.hidden = false;
