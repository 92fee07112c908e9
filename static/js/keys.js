// Single keys for what staff do all day. Nobody gets them while typing or in a dialog, and they can be switched off.

const OFF = "printsys-no-keys";
const ACTIONS = { a: "approve", r: "reject", s: "start", d: "complete" };

export const hasKeys = () => localStorage.getItem(OFF) !== "yes";

export function switchKeys(on) {
  localStorage.setItem(OFF, on ? "no" : "yes");
}

export function isForUs(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !hasKeys()) return false;
  const isTyping = event.target.matches?.("input:not([type=checkbox]), textarea, select");
  return !isTyping && document.querySelector("dialog[open]") === null;
}

// Presses the button of the job in `root` that the key stands for; whether there is one.
export function press(root, key) {
  const selector = key === "o" ? "form[data-open] button" : key in ACTIONS ? `#${ACTIONS[key]}` : null;
  const button = selector && root.querySelector(`:is(.job-actions, .plates) ${selector}`);
  button?.click();
  return Boolean(button);
}

// One press, one action: what a key did opens the next job, and a key held too long would act on that one as well, or
// write its letters into the dialog that it opened.
let acting = null;
document.addEventListener("keydown", (event) => {
  const isAction = (event.key === "o" || event.key in ACTIONS) && isForUs(event);
  if (!event.repeat) { acting = isAction ? event.key : null; return; }
  if (isAction || event.key === acting || (event.key === "Enter" && !event.target.matches?.("textarea"))) event.preventDefault();
}, true);
