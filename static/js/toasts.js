// Messages at the foot of the workbench: most go by themselves, one with an Undo stays for as long as that is possible.

const STAY_MS = 15000;
const MOST = 4;
const { root } = document.documentElement.dataset;

const shelf = () => document.getElementById("messages");
const undoOf = (message) => message.querySelector("form[action*='/revert']");

export function place(message) {
  shelf().append(message);
  while (shelf().children.length > MOST) shelf().firstElementChild.remove();
  keep(message);
}

export function toast(sentence, kind = "danger") {
  const message = document.createElement("div");
  message.className = `alert alert-${kind} flash`;
  message.setAttribute("role", "status");
  message.textContent = sentence;
  place(message);
}

// For a message that is there already, too.
export function keep(message) {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close";
  close.setAttribute("aria-label", "Close this message");
  close.addEventListener("click", () => dismiss(message));
  message.append(close);
  if (undoOf(message)) remember(message);
  else leaveLater(message);
}

// The focus goes on to the chosen job; on the body it would begin at the top of the page again.
function dismiss(message) {
  const isFocused = message.contains(document.activeElement);
  message.remove();
  if (!isFocused) return;
  const next = document.querySelector(".job-row.is-chosen .job-link") ?? document.getElementById("main");
  next.focus({ preventScroll: true });
}

function leaveLater(message) {
  setTimeout(() => {
    if (message.matches(":hover, :focus-within")) leaveLater(message);
    else message.remove();
  }, STAY_MS);
}

// -- how long an action can be undone ---------------------------------------------------------------------------------

async function statusOf(message) {
  const [, id] = /\/jobs\/([^/?]+)\/revert/.exec(undoOf(message).action);
  const answer = await fetch(`${root}/api/v1/jobs/${id}`, { redirect: "error" });
  return answer.ok ? (await answer.json()).job.status : null;
}

async function remember(message) {
  try {
    message.dataset.status = await statusOf(message) ?? "";
  } catch { /* the next look compares with nothing, and the message stays */ }
}

// Something changed: an Undo goes as soon as its job has moved on.
export async function dropWhatIsOver() {
  for (const message of shelf().querySelectorAll(".flash[data-status]")) {
    if (message.contains(document.activeElement)) continue;
    try {
      const status = await statusOf(message);
      if (status && message.dataset.status && status !== message.dataset.status) message.remove();
    } catch { /* asked again at the next change */ }
  }
}
