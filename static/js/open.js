// Opens a file in this desktop's slicer, by the opener that is installed on it, and says so when nothing answers.
// And copies a file's path as this desktop has it: each has its own name for the storage folder.

const PATIENCE_MS = 2500;
const ROOT = "printsys-storage-here";

function answered() {
  return new Promise((resolve) => {
    const done = (hasAnswered) => { window.removeEventListener("blur", yes); document.removeEventListener("visibilitychange", yes); resolve(hasAnswered); };
    const yes = () => done(true);
    window.addEventListener("blur", yes);
    document.addEventListener("visibilitychange", yes);
    setTimeout(() => done(false), PATIENCE_MS);
  });
}

async function open(form) {
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const { address } = await answer.json();
  const opened = answered();
  window.location.assign(address);
  if (!(await opened)) hint(form);
}

function hint(form) {
  if (form.nextElementSibling?.matches(".open-hint")) return;
  const line = document.createElement("p");
  line.className = "open-hint";
  line.role = "status";
  const link = document.createElement("a");
  link.href = `${document.documentElement.dataset.root}/dashboard/opener`;
  link.textContent = "Install the opener on this computer";
  line.append("Nothing opened? ", link, ".");
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
