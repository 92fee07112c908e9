// The dashboard refreshes itself: within a second of the server's event, or every 45 s where there is none.

import { countDown } from "./countdown.js";

const POLL_MS = 45000;
const area = document.getElementById("live");
const updated = document.getElementById("last-updated");
const soundButton = document.getElementById("sound");
const SOUND = "printsys-sound";
let waiting = false;
let asking = false;
let wasOpen = false;

function newJobs(root) {
  return new Set([...root.querySelectorAll(".job-card.is-new")].map((card) => card.id));
}

// Nothing is redrawn under an open dialog, or under a form that somebody is filling in.
function isBusy() {
  const active = document.activeElement;
  return document.querySelector("dialog[open]") !== null || (area.contains(active) && active.matches("input, textarea, select"));
}

async function refresh() {
  if (isBusy() || asking) { waiting = true; return; }
  asking = true;
  waiting = false;
  try {
    const answer = await fetch(window.location.href, { redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!answer.ok || !fresh) throw new Error(String(answer.status));
    if (isBusy()) { waiting = true; return; }
    const before = newJobs(area);
    const focused = document.activeElement;
    const address = area.contains(focused) ? focused.getAttribute("href") : null;
    area.replaceChildren(...fresh.childNodes);
    countDown(area);
    if (address) area.querySelector(`a[href="${CSS.escape(address)}"], a[href="${address}"]`)?.focus({ preventScroll: true });
    const count = document.querySelector("[data-attention]");
    const counted = page.querySelector("[data-attention]");
    if (count && counted) count.replaceChildren(...counted.childNodes);
    if ([...newJobs(area)].some((id) => !before.has(id))) ring();
    updated.textContent = page.getElementById("last-updated").textContent;
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

if (area) {
  countDown(area);
  const source = new EventSource("/dashboard/live");
  source.addEventListener("open", () => { if (wasOpen) refresh(); wasOpen = true; });  // what happened while it was away
  source.addEventListener("changed", refresh);
  setInterval(() => { if (source.readyState !== EventSource.OPEN || waiting) refresh(); }, POLL_MS);
  document.addEventListener("close", () => { if (waiting) refresh(); }, true);
  document.addEventListener("focusout", () => { if (waiting) setTimeout(() => { if (waiting) refresh(); }, 200); });
  window.addEventListener("pagehide", () => source.close());
  if (soundButton) {
    soundButton.hidden = false;
    soundButton.addEventListener("click", () => {
      localStorage.setItem(SOUND, localStorage.getItem(SOUND) === "on" ? "off" : "on");
      showSound();
      ring();
    });
    showSound();
  }
}
