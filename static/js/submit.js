// The student's form: choices that follow the method, files checked when chosen, progress, one submission.
// Without this script the form still works; the server checks everything again.

const CHOICES = ["print_method", "printer", "color", "copies", "own_material", "class_number", "discipline"];
const area = document.getElementById("submit-area");

function begin(form) {
  followMethod(form);
  // On the form, not on the input: the input moves on into the next form when the answer names mistakes.
  form.addEventListener("change", (event) => {
    if (event.target.id === "file") checkModels(form, checkFiles(form));
    else if (CHOICES.includes(event.target.name)) checkModels(form, true);
  });
  form.addEventListener("click", (event) => {
    const printer = event.target.closest?.("[data-printer]")?.dataset.printer;
    if (printer) choosePrinter(form, printer);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.sending || isHeldBack(form) || !checkFiles(form)) return;
    send(form);
  });
  listFiles(form);
  showErrors();
}

function followMethod(form) {
  for (const holder of form.querySelectorAll("[data-follows-method]")) {
    const select = holder.querySelector("select");
    const groups = new Map([...select.querySelectorAll("optgroup")].map((g) => [g.label, [...g.children]]));
    const first = groups.get("") ?? [...select.children].filter((child) => child.tagName === "OPTION");
    const chosen = select.value;
    const update = (keep) => {
      const method = form.querySelector("[name=print_method]:checked")?.value;
      select.replaceChildren(...first.map((option) => option.cloneNode(true)), ...(groups.get(method) ?? []));
      select.disabled = !method;
      select.options[0].textContent = method ? "Please choose …" : "Choose a print method first";
      const wanted = keep ?? "";
      select.value = [...select.options].some((option) => option.value === wanted) ? wanted : "";
    };
    for (const radio of form.querySelectorAll("[name=print_method]")) {
      radio.addEventListener("change", () => update(select.value));
    }
    update(chosen);
  }
}

function checkFiles(form) {
  const input = form.querySelector("#file");
  const message = form.querySelector("#file-error");
  const { maxBytes, maxFiles, maxMb, extensions } = form.dataset;
  const problems = [];
  const files = [...input.files];
  if (files.length > Number(maxFiles)) problems.push(`Please choose at most ${maxFiles} file${maxFiles === "1" ? "" : "s"}.`);
  for (const file of files) {
    const name = file.name.toLowerCase();
    if (name.startsWith("._")) {
      problems.push(`${file.name} is not the model but what macOS notes about it. Please choose ${file.name.slice(2)} itself.`);
    } else if (name.endsWith(".zip") && !extensions.split(" ").includes(".zip")) {
      problems.push(`${file.name} is a zip archive. Please unzip it and choose the model that is in it.`);
    } else if (!extensions.split(" ").some((extension) => name.endsWith(extension))) {
      problems.push(`${file.name}: please choose a file of one of these kinds: ${extensions.replaceAll(" ", ", ")}.`);
    } else if (file.size > Number(maxBytes)) {
      problems.push(`${file.name} is larger than ${maxMb} MB. Please simplify the model or split it into parts.`);
    } else if (file.size === 0) {
      problems.push(`${file.name} is empty. Please export the model again.`);
    }
  }
  listFiles(form);
  message.textContent = problems.join(" ");
  markFile(input, problems.length > 0);
  if (problems.length) input.focus();
  return problems.length === 0;
}

// What the lab's computer finds in the chosen models: a picture, their size, problems, about what they cost.
// The files are sent once; when another printer is chosen, their hashes say which ones are meant.
// While others wait for the lab's computer, the answer comes later: the page asks again until it is there.
const ASK_AGAIN_MS = 1000;
const JSON_PLEASE = { Accept: "application/json" };
let asking = null;
let checked = [];

async function checkModels(form, areGood) {
  const place = form.querySelector("#model-check");
  const files = [...form.querySelector("#file").files];
  asking?.abort();
  if (!areGood || !files.length) { place.replaceChildren(); checked = []; showVerdict(form, []); return; }
  const turn = asking = new AbortController();
  const isChecked = checked.length === files.length && checked.every((model, n) => model.file === files[n]);
  place.classList.add("is-looking");
  if (!isChecked) place.textContent = "Looking at your model …";
  try {
    let answer = isChecked ? await question(form, place, turn, []) : null;
    if (!answer || answer.status === 409) answer = await question(form, place, turn, files);
    for (;;) {
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.message);
      place.innerHTML = body.html;
      showVerdict(form, body.files);
      checked = body.pending ? [] : body.files.map(({ name, sha256 }, n) => ({ file: files[n], name, sha256 }));
      if (!body.pending) break;
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      turn.signal.throwIfAborted();
      const chosen = new URLSearchParams(choices(form));
      answer = await fetch(`${place.dataset.check}/${body.id}?${chosen}`, { signal: turn.signal, headers: JSON_PLEASE });
    }
  } catch {
    if (turn === asking) { place.replaceChildren(); showVerdict(form, []); }  // nobody answers: the form works without
  } finally {
    if (turn === asking) place.classList.remove("is-looking");
  }
}

// What the check means for the form: printers that fit are marked, and what nobody can print is not sent.
function showVerdict(form, models) {
  const fitting = models.map((model) => model.fits).filter(Boolean);
  for (const option of form.querySelectorAll("#printer option")) {
    if (!option.value) continue;
    option.dataset.name ??= option.textContent;
    const mark = fitting.every((ids) => ids.includes(option.value)) ? "Fits: " : "Too small: ";
    option.textContent = (fitting.length ? mark : "") + option.dataset.name;
  }
  const blocked = models.filter((model) => model.will_not_print).map((model) => model.name);
  const button = form.querySelector("#submit-button");
  if (blocked.length) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
  form.querySelector("#send-reason").textContent = blocked.length
    ? `${blocked.join(", ")} cannot be printed: please mend ${blocked.length > 1 ? "them" : "it"}, or choose another file.` : "";
}

function isHeldBack(form) {
  const isHeld = form.querySelector("#submit-button").getAttribute("aria-disabled") === "true";
  if (isHeld) form.querySelector("#model-check").scrollIntoView({ block: "nearest" });
  return isHeld;
}

function choosePrinter(form, printer) {
  const select = form.querySelector("#printer");
  select.value = printer;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  select.focus();
}

function question(form, place, turn, files) {
  const body = new FormData();
  body.append("csrf_token", form.elements.csrf_token.value);
  for (const [name, value] of choices(form)) body.append(name, value);
  for (const file of files) body.append("file", file);
  if (!files.length) for (const model of checked) { body.append("sha256", model.sha256); body.append("name", model.name); }
  return fetch(place.dataset.check, { method: "POST", body, signal: turn.signal, headers: JSON_PLEASE });
}

function choices(form) {
  const answers = new FormData(form); // which has no box that is not ticked
  return CHOICES.map((name) => [name, answers.get(name) ?? ""]);
}

function listFiles(form) {
  const files = [...form.querySelector("#file").files];
  form.querySelector("#file-list").replaceChildren(...files.map((file) => {
    const item = document.createElement("li");
    item.textContent = `${file.name}, ${size(file.size)}`;
    return item;
  }));
  const again = form.querySelector("[data-choose-again]");
  if (again) again.hidden = files.length > 0;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function markFile(input, isWrong) {
  input.classList.toggle("is-invalid", isWrong);
  if (isWrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function send(form) {
  const button = form.querySelector("#submit-button");
  const progress = form.querySelector("#upload-progress");
  const bar = progress.querySelector(".progress-bar");
  const progressText = form.querySelector("#upload-progress-text");
  form.dataset.sending = "1";
  form.querySelector(".submit-problem")?.remove();
  button.disabled = true;
  button.dataset.label ??= button.textContent;
  button.textContent = "Sending …";
  progress.classList.remove("d-none");
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    const percent = Math.round((100 * event.loaded) / event.total);
    bar.style.width = `${percent}%`;
    progress.setAttribute("aria-valuenow", percent);
    if (percent % 25 === 0) progressText.textContent = `${percent} % sent`;
  });
  request.addEventListener("load", () => {
    if (new URL(request.responseURL).pathname !== new URL(form.action).pathname) {
      window.location.assign(request.responseURL);
    } else {
      showAnswer(form, request.responseText);
    }
  });
  request.addEventListener("error", () => {
    again(form);
    tell(form, "The connection was lost. Please send it again: if it did arrive, it is not stored twice.");
  });
  request.open("POST", form.action);
  request.setRequestHeader("X-Refresh", "1");  // the page that follows keeps its messages for whoever sees it
  request.send(new FormData(form));
}

function again(form) {
  delete form.dataset.sending;
  const button = form.querySelector("#submit-button");
  button.disabled = false;
  button.textContent = button.dataset.label;
  form.querySelector("#upload-progress").classList.add("d-none");
}

function showAnswer(form, html) {
  const answer = new DOMParser().parseFromString(html, "text/html");
  const fresh = answer.getElementById("submit-area");
  if (!fresh) {
    // Not our form: an error page of ours, or of something between us and the lab. All that was typed stays.
    again(form);
    const sentences = [...answer.querySelectorAll("main h1, main .lead")].map((part) => part.textContent.trim());
    tell(form, sentences.join(". ") || "The lab's server gave an unexpected answer. Please try again in a moment.");
    return;
  }
  // The browser's file choice lives in its input: it moves into the new form with what was said of it, so nothing is
  // chosen or looked into twice.
  const chosen = form.querySelector("#file");
  const input = fresh.querySelector("#file");
  input.replaceWith(chosen);
  fresh.querySelector("#model-check").replaceWith(form.querySelector("#model-check"));
  markFile(chosen, input.classList.contains("is-invalid"));
  area.replaceChildren(...fresh.childNodes);
  begin(area.querySelector("form"));
}

function tell(form, sentence) {
  form.querySelector(".submit-problem")?.remove();
  const box = document.createElement("div");
  box.className = "alert alert-danger submit-problem";
  box.role = "alert";
  box.textContent = sentence;
  form.querySelector("#submit-button").before(box);
}

function showErrors() {
  const summary = area.querySelector(".error-summary");
  if (!summary) return;
  const first = area.querySelector(".has-error");
  (first ?? summary).scrollIntoView({ block: "center" });
  (first?.querySelector("input, select, textarea") ?? summary).focus({ preventScroll: true });
}

if (area) {
  begin(area.querySelector("form"));
  // Coming back to a page that the browser kept: its button must not stand at "Sending …" for ever.
  window.addEventListener("pageshow", (event) => { if (event.persisted) again(area.querySelector("form")); });
}
