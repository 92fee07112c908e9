// The report of a command that runs shows as soon as it is there. `data-running`: the page that has it.

import { REFRESH } from "./live.js";

const EVERY_MS = 2000;

async function look() {
  const running = [...document.querySelectorAll("[data-running]")];
  if (!running.length) return;
  try {
    const answer = await fetch(running[0].dataset.running, { redirect: "error", headers: REFRESH });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const area of running) {
      const fresh = page.getElementById(area.id);
      if (!fresh || fresh.hasAttribute("data-running")) continue;
      area.replaceChildren(...fresh.childNodes);
      area.removeAttribute("data-running");
    }
  } catch {
    // the pages are away for a moment
  }
  setTimeout(look, EVERY_MS);
}

look();
