// After a submission: models that nobody has looked at yet are shown as soon as somebody has.

const ASK_AGAIN_MS = 3000;

async function askAgain() {
  try {
    const answer = await fetch(window.location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("checked-models");
    if (fresh) document.getElementById("checked-models").replaceWith(fresh);
  } finally {
    waitIfPending();
  }
}

function waitIfPending() {
  if (document.querySelector("#checked-models[data-pending]")) setTimeout(askAgain, ASK_AGAIN_MS);
}

waitIfPending();
