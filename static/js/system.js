// The report of a check or a backup shows as soon as it is there.

import { REFRESH } from "./live.js";

const EVERY_MS = 2000;

async function look() {
  const running = [...document.querySelectorAll("[data-running]")];
  if (!running.length) return;
  try {
    const answer = await fetch(`${document.documentElement.dataset.root}/dashboard/system`, { redirect: "error", headers: REFRESH });
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
