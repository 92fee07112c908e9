// The dashboard refreshes itself: within a second of the server's event, or every 45 s where there is none.

import { countDown } from "./countdown.js";

const POLL_MS = 45000;
const area = document.getElementById("live");
const updated = document.getElementById("last-updated");
const soundButton = document.getElementById("sound");
const SOUND = "printsys-sound";
const CHANNEL = "printsys-live";
export const REFRESH = { "X-Refresh": "1" };  // the answer leaves messages to the page that shows them
const FRESH_MS = 3000;  // a page that is younger shows what is
let source = null;
let waiting = false;
let asking = false;

function newJobs(root) {
  return new Set([...root.querySelectorAll(".job-card.is-new")].map((card) => card.id));
}

// Nothing is redrawn under an open dialog, or under a form that somebody is filling in.
function isBusy() {
  const active = document.activeElement;
  return document.querySelector("dialog[open], .queue-more form:focus-within:has(select), .is-dragged") !== null || (area.contains(active) && active.matches("input:not([type=checkbox]), textarea, select"));
}

const rowId = (part) => part.closest(".job-row")?.id;

// The same in the answer: a button sends the same, a summary stands in the same part.
function traitsOf(part) {
  const attributes = ["href", "formaction", "name", "value"].map((name) => part.getAttribute(name));
  return [part.localName, part.closest("[id]").id, part.form?.getAttribute("action"), ...attributes].join(" ");
}

const openParts = (root) => [...root.querySelectorAll(".queue-more[open]")].map((part) => part.closest("[id]").id);

function openAgain(ids) {
  for (const id of ids) document.getElementById(id)?.querySelector(".queue-more")?.setAttribute("open", "");
}

// Puts the focus back where it was: on the same link, button or box, else on the row that took the place of its row.
function focusIn(area) {
  const focused = document.activeElement;
  if (!area.contains(focused)) return () => {};
  const traits = traitsOf(focused);
  const address = focused.getAttribute("href");
  const isTick = focused.matches(".row-tick input");
  const id = rowId(focused);
  const place = [...area.querySelectorAll(".job-row")].findIndex((row) => row.id === id);
  return () => {
    const rows = [...area.querySelectorAll(".job-row")];
    const row = rows.find((other) => other.id === id) ?? rows[Math.min(place, rows.length - 1)];
    const alike = [...area.querySelectorAll(focused.localName)].find((part) => traitsOf(part) === traits);
    const same = address && [...area.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
    const next = alike || (isTick && row?.querySelector(".row-tick input")) || same || row?.querySelector(".job-link");
    (next ?? document.getElementById("main")).focus({ preventScroll: true });
  };
}

const tabs = () => area.querySelector(".tabs");

// On a narrow screen the chosen status may stand beside it.
function showChosenTab() {
  const chosen = tabs()?.querySelector(".active");
  if (!chosen) return;
  const [all, one] = [tabs(), chosen].map((part) => part.getBoundingClientRect());
  if (one.right > all.right || one.left < all.left) tabs().scrollLeft += one.left + one.width / 2 - all.left - all.width / 2;
}

// Puts the list of another answer of the dashboard into this page, and keeps the focus on what it was on.
export function take(page) {
  const fresh = page.getElementById("live");
  if (!fresh) return false;
  const before = newJobs(area);
  const focus = focusIn(area);
  if (fresh.dataset.address) area.dataset.address = fresh.dataset.address;
  const ticked = new Set([...area.querySelectorAll(".row-tick input:checked")].map(rowId));
  const open = openParts(area);
  const scrolled = tabs()?.scrollLeft;
  area.replaceChildren(...fresh.childNodes);
  if (scrolled && tabs()) tabs().scrollLeft = scrolled;
  openAgain(open);
  countDown(area);
  for (const box of area.querySelectorAll(".row-tick input")) box.checked = ticked.has(rowId(box));
  focus();
  const count = document.querySelector("[data-attention]");
  const counted = page.querySelector("[data-attention]");
  if (count && counted) count.replaceChildren(...counted.childNodes);
  if ([...newJobs(area)].some((id) => !before.has(id))) ring();
  updated.textContent = page.getElementById("last-updated").textContent;
  area.dispatchEvent(new CustomEvent("taken"));
  return true;
}

export async function refresh() {
  if (isBusy() || asking) { waiting = true; return; }
  asking = true;
  waiting = false;
  try {
    const { address } = area.dataset;  // of the list as it was opened: its status stays, also when it is empty
    const answer = await fetch(address ?? window.location.href, { redirect: "error", headers: REFRESH });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && (isBusy() || area.dataset.address !== address)) { waiting = true; return; }
    if (!answer.ok || !take(page)) throw new Error(String(answer.status));
  } catch {
    if (!updated.textContent.includes("no answer")) updated.textContent += " (no answer since)";
  } finally {
    asking = false;
    if (waiting && !isBusy()) setTimeout(refresh, 200);
  }
}

function ring() {
  if (localStorage.getItem(SOUND) !== "on") return;
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.setValueAtTime(660, audio.currentTime);
  tone.frequency.setValueAtTime(880, audio.currentTime + 0.15);
  volume.gain.setValueAtTime(0.15, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.5);
  tone.addEventListener("ended", () => audio.close());
}

function showSound() {
  const on = localStorage.getItem(SOUND) === "on";
  soundButton.setAttribute("aria-pressed", String(on));
  soundButton.textContent = on ? "Sound for new jobs: on" : "Sound for new jobs: off";
}

// One stream a browser: browsers allow six connections to a host, and every tab of the dashboard would keep one.
// The tab that has the lock listens and tells the others; a hidden tab lets go of it. Without locks (they need HTTPS
// or this computer) each visible tab listens by itself.
function follow() {
  const others = new BroadcastChannel(CHANNEL);
  others.addEventListener("message", refresh);
  const listen = () => new Promise((resolve) => {
    if (document.hidden) { resolve(); return; }
    source = new EventSource(`${document.documentElement.dataset.root}/dashboard/live`);
    const tell = () => { refresh(); others.postMessage("changed"); };
    source.addEventListener("open", () => { if (performance.now() > FRESH_MS) tell(); });  // what happened before
    source.addEventListener("changed", tell);
    const end = () => { source.close(); resolve(); };
    window.addEventListener("pagehide", end, { once: true });
    document.addEventListener("visibilitychange", end, { once: true });
  });
  const queue = () => { if (navigator.locks) navigator.locks.request(CHANNEL, listen); else listen(); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { refresh(); queue(); } });
  window.addEventListener("pageshow", (event) => { if (event.persisted) queue(); });
  queue();
}

// A hidden tab asks only where somebody listens for its sound.
function poll() {
  const isHeard = localStorage.getItem(SOUND) === "on";
  if (waiting || (source?.readyState !== EventSource.OPEN && (!document.hidden || isHeard))) refresh();
}

if (area) {
  showChosenTab();
  countDown(area);
  follow();
  setInterval(poll, POLL_MS);
  document.addEventListener("close", () => { if (waiting) refresh(); }, true);
  document.addEventListener("focusout", () => { if (waiting) setTimeout(() => { if (waiting) refresh(); }, 200); });
  if (soundButton) {
    soundButton.addEventListener("click", () => {
      localStorage.setItem(SOUND, localStorage.getItem(SOUND) === "on" ? "off" : "on");
      showSound();
      ring();
    });
    showSound();
  }
}
