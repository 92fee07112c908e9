// Leads back to the page System as soon as the pages, which were asked to start again, have been away and answer.

const EVERY_MS = 500;
const LONG_MS = 20000;  // they were away for less than a look
const link = document.getElementById("look");
let wasAway = false;

async function look() {
  try {
    // What a proxy says in their place is no JSON.
    await (await fetch(`${document.documentElement.dataset.root}/healthz`, { cache: "no-store" })).json();
    if (wasAway || performance.now() > LONG_MS) { window.location.assign(link.href); return; }
  } catch {
    wasAway = true;
  }
  setTimeout(look, EVERY_MS);
}

look();
