// The workbench: the chosen job opens beside the list, by the same template as its own page; what is done there is sent
// from there, and the list keeps its place. Below 1100 px a row leads to the job's page, as it does without a script.

import { hasKeys, isForUs, press, switchKeys } from "./keys.js";
import { REFRESH, refresh, take } from "./live.js";
import { begin, beginStep } from "./staff.js";
import { dropWhatIsOver, keep, place, toast } from "./toasts.js";
import { forget, putBack, setAside, watch } from "./unsent.js";

const TYPING_MS = 250;
const STEPPING_MS = 150;
const DENSITY = "printsys-rows";
const NO_ANSWER = "The lab's server does not answer. Please try again in a moment.";

const list = document.getElementById("live");
const panel = document.getElementById("panel");
const search = document.getElementById("q");
const wide = window.matchMedia("(min-width: 1100px)");
const { root } = document.documentElement.dataset;
let asked = 0;  // the answer for a job that a newer question overtook is dropped
let lookUps = 0;  // and that of a search
let sending = 0;
let isTouched = false;  // somebody is filling in a form of the panel
let chosen = new URL(window.location.href).searchParams.get("job");

const links = () => [...list.querySelectorAll(".job-row .job-link")];
const idOf = (link) => link.closest(".job-row").id.replace("job-", "");
const linkOf = (id) => list.querySelector(`#job-${CSS.escape(id ?? "")} .job-link`);

// -- the panel --------------------------------------------------------------------------------------------------------

async function ask(address, options = {}) {
  const answer = await fetch(address, options);
  if (!new URL(answer.url).pathname.startsWith(`${root}/dashboard`)) {  // nobody is logged in any more
    window.location.assign(answer.url);
    return null;
  }
  return { status: answer.status, isDone: answer.ok, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

// `isPicked`: a person chose it, so that a reload of this page opens it again. What somebody types meanwhile stays.
async function openJob(address, isPicked = true) {
  const mine = ++asked;
  panel.setAttribute("aria-busy", "true");
  try {
    const reply = await ask(address);
    if (reply && mine === asked && (isPicked || !isTouched)) show(reply.page, isPicked);
  } catch {
    if (mine === asked) toast(NO_ANSWER);
  } finally {
    if (mine === asked) panel.removeAttribute("aria-busy");
  }
}

function fill(parts) {
  setAside(panel);
  panel.replaceChildren(...parts);
  panel.removeAttribute("aria-busy");
  panel.scrollTop = 0;
  isTouched = false;
}

// The job of an answer or, where it has none (a refusal, a form with mistakes), all that the answer says.
function show(page, isPicked = true) {
  const job = page.getElementById("job");
  const parts = job ? [job] : [...page.getElementById("main").children].filter((part) => part.id !== "messages");
  takeMessages(page);
  fill(parts);
  begin(panel);
  putBack(panel);
  if (job) chosen = job.dataset.job;
  mark();
  if (!job) return;
  if (isPicked) remember();
  linkOf(chosen)?.closest(".job-row").scrollIntoView({ block: "nearest" });
}

function mark() {
  for (const link of links()) {
    const isChosen = wide.matches && idOf(link) === chosen;
    link.closest(".job-row").classList.toggle("is-chosen", isChosen);
    if (isChosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function remember() {
  const address = new URL(window.location.href);
  if (chosen) address.searchParams.set("job", chosen);
  else address.searchParams.delete("job");
  history.replaceState(null, "", address);
}

function focusOnNext() {
  const next = panel.querySelector(".error-summary, .job-actions .btn-primary, .plates .btn-primary") ?? panel.querySelector("#job, h1");
  if (!next) { (links()[0] ?? search).focus(); return; }
  if (!next.matches("a, button, [tabindex]")) next.tabIndex = -1;
  next.focus({ preventScroll: true });
}

function showNothing() {
  const line = document.createElement("p");
  line.className = "empty";
  line.textContent = "Nothing is left in this list.";
  fill([line]);
  chosen = null;
  mark();
  remember();
}

// Somebody else, the worker or a slicer changed the job that is open. Not while another one comes, which somebody chose.
async function openAgain() {
  const link = linkOf(chosen);
  const job = panel.querySelector("#job");
  if (!link || !job || isTouched || sending || panel.hasAttribute("aria-busy") || job.dataset.revision === link.dataset.revision) return;
  const focused = panel.contains(document.activeElement) ? document.activeElement : null;
  const { scrollTop } = panel;
  await openJob(link.href, false);
  panel.scrollTop = scrollTop;
  if (!focused) return;
  const same = focused.id && panel.querySelector(`#${CSS.escape(focused.id)}`);
  if (same) same.focus({ preventScroll: true });
  else focusOnNext();
}

panel.addEventListener("input", () => { isTouched = true; });
watch(panel);

// -- what is sent -----------------------------------------------------------------------------------------------------

// Neither the job nor a form to mend: whatever somebody typed stays where it is.
function isErrorPage({ status, isDone, page }) {
  return !isDone && status !== 409 && !page.querySelector("#job, #main .reading form");
}

function sentenceOf(page) {
  const parts = [...page.querySelectorAll("#main h1, #main .lead, #main .is-refused")];
  return parts.map((part) => part.textContent.trim()).join(": ") || NO_ANSWER;
}

async function showAnswer(form, reply) {
  asked += 1;  // what was asked before it was sent shows the job as it was
  forget(form);
  form.closest("dialog")?.close();
  form.closest(".flash")?.remove();
  if (form.id === "bulk") for (const box of ticks()) box.checked = false;
  if (isTouched && !panel.contains(form)) showBeside(reply);
  else if (takeRow(form, reply)) return;
  else {
    showInPanel(reply.page);
    focusOnNext();
  }
  await refresh();
}

// The answer to a form of another job than the one that somebody is filling in.
function showBeside({ isDone, page }) {
  if (page.querySelector("#messages .flash")) takeMessages(page);
  else toast(sentenceOf(page), isDone ? "success" : "danger");
  if (document.activeElement === document.body) panel.querySelector("[data-typed]")?.focus({ preventScroll: true });
}

// The answer to a button of a row.
function takeRow(form, reply) {
  const at = links().findIndex((link) => link.closest(".job-row").contains(form));
  const isOpen = at >= 0 && idOf(links()[at]) === chosen;
  if (at < 0 || !reply.isDone || !take(reply.page)) return false;
  takeMessages(reply.page);
  const next = links()[Math.min(at, links().length - 1)];
  if (isOpen && !linkOf(chosen)) next ? openJob(next.href) : showNothing();
  return true;
}

function showInPanel(page) {
  if (!page.getElementById("live")) { show(page); return; }
  takeMessages(page);  // no job is left in the list
  fill([]);
  chosen = null;
  take(page);
  if (!links().length) showNothing();
}

async function send(form, submitter) {
  asked += 1;
  sending += 1;
  form.dataset.sending = "1";
  const address = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  try {
    const reply = await ask(address, { method: "POST", body: new FormData(form, submitter) });
    if (!reply) return;
    if (isErrorPage(reply)) toast(sentenceOf(reply.page));
    else await showAnswer(form, reply);
  } catch {
    toast("The lab's server does not answer. Please look at the job again before you send it once more.");
  } finally {
    sending -= 1;
    delete form.dataset.sent;
    delete form.dataset.sending;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const isOurs = panel.contains(form) || list.contains(form) || form.closest("#messages");
  if (event.defaultPrevented || !isOurs || form.method !== "post" || !wide.matches) return;
  if (event.submitter?.hasAttribute("data-leads-on")) return;  // to a page of its own
  event.preventDefault();
  if (!form.dataset.sending) send(form, event.submitter);
});

// -- messages ---------------------------------------------------------------------------------------------------------

function takeMessages(page) {
  for (const message of page.querySelectorAll("#messages .flash")) place(message);
}

// -- the list ---------------------------------------------------------------------------------------------------------

let stepping = 0;

function step(by) {
  const all = links();
  if (!all.length) return;
  const row = document.activeElement?.closest(".job-row");
  const from = all.findIndex((link) => (row ? link.closest(".job-row") === row : idOf(link) === chosen));
  const to = all[Math.min(all.length - 1, Math.max(0, from + by))];
  to.focus();
  if (!wide.matches) return;
  clearTimeout(stepping);
  stepping = setTimeout(() => { if (idOf(to) !== chosen) openJob(to.href); }, STEPPING_MS);
}

// Where nothing is open, the first job of the list is.
function followList() {
  mark();
  const first = linkOf(chosen) ?? links()[0];
  if (wide.matches && first && !panel.querySelector("#job, h1")) openJob(first.href, first !== links()[0]);
}

list.addEventListener("taken", () => {
  mark();
  showTicked();
  followList();
  openAgain();
  dropWhatIsOver();
});

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button || !wide.matches) return;
  const link = event.target.closest?.(".job-row .job-link, .job-row .job-next a[href*='#'], #panel [data-beside]");
  if (!link) return;
  event.preventDefault();
  const [address, action] = link.href.split("#");
  if (link.matches(".job-link") && idOf(link) === chosen && panel.childElementCount) { focusOnNext(); return; }
  openJob(address).then(() => { if (action) beginStep(action); });
});

// -- ticks ------------------------------------------------------------------------------------------------------------

const ticks = () => [...list.querySelectorAll(".job-row .row-tick input")];
let lastTicked = null;

function showTicked() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const count = ticks().filter((box) => box.checked).length;
  bar.classList.toggle("is-active", count > 0);
  bar.querySelector(".tick-count").textContent = count === 1 ? "1 job is ticked:" : `${count} jobs are ticked:`;
}

let isShift = false;  // of the click on a label, which the box hears of without its keys

list.addEventListener("click", (event) => {
  const box = event.target.closest(".row-tick input");
  if (!box) { isShift = event.shiftKey; return; }
  const all = ticks();
  const [from, to] = [all.findIndex((other) => other.value === lastTicked), all.indexOf(box)].sort((a, b) => a - b);
  if ((event.shiftKey || isShift) && from >= 0) for (const other of all.slice(from, to + 1)) other.checked = box.checked;
  lastTicked = box.value;
  isShift = false;
  showTicked();
});

function tickHere() {
  const row = document.activeElement?.closest(".job-row") ?? linkOf(chosen)?.closest(".job-row");
  row?.querySelector(".row-tick input")?.click();
}

// -- the search and the filters, as one types and chooses -------------------------------------------------------------

let typing = 0;

async function lookUp(form) {
  const mine = ++lookUps;
  const address = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
  const question = new URL(address);
  question.searchParams.set("typing", "1");  // an id shows its row, and leads to its page with Enter
  try {
    const reply = await ask(question, { headers: REFRESH });
    if (!reply || mine !== lookUps) return;
    document.querySelector(".dash-head h1").textContent = reply.page.querySelector(".dash-head h1").textContent;
    for (const id of ["filters", "search-keeps"]) {
      const part = document.getElementById(id);
      if (!part.contains(document.activeElement)) part.replaceWith(reply.page.getElementById(id));
    }
    if (!isTouched) {
      asked += 1;  // a job of the list before
      fill([]);
      chosen = null;
    }
    take(reply.page);
  } catch {
    if (mine === lookUps) toast(NO_ANSWER);
  }
}

search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(lookUp, TYPING_MS, search.form);
});
search.form.addEventListener("submit", () => clearTimeout(typing));
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("#filters");
  if (form) lookUp(form);
});

// -- keys -------------------------------------------------------------------------------------------------------------

const help = document.getElementById("keys");
const keysBox = document.getElementById("keys-on");

function showHelp() {
  keysBox.checked = hasKeys();
  help.showModal();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  x: tickHere,
  "/": () => { search.focus(); search.select(); },
  "?": showHelp,
};

document.addEventListener("keydown", (event) => {
  if (!isForUs(event)) return;
  const isInList = list.contains(document.activeElement);  // elsewhere the arrows scroll
  const key = isInList && event.key === "ArrowDown" ? "j" : isInList && event.key === "ArrowUp" ? "k" : event.key;
  if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else if (!press(panel, key)) return;
  event.preventDefault();
});
keysBox.addEventListener("change", () => switchKeys(keysBox.checked));
document.getElementById("show-keys").addEventListener("click", showHelp);

// -- the density of the rows ------------------------------------------------------------------------------------------

const density = document.getElementById("density");

const { dataset } = document.documentElement;  // theme.js has set it before the first paint

function showDensity() {
  density.setAttribute("aria-pressed", String(dataset.rows === "compact"));
}

density.addEventListener("click", () => {
  dataset.rows = dataset.rows === "compact" ? "comfortable" : "compact";
  localStorage.setItem(DENSITY, dataset.rows);
  showDensity();
});

for (const message of document.querySelectorAll("#messages .flash")) keep(message);
showDensity();
showTicked();
followList();
wide.addEventListener("change", followList);
