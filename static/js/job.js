// The job's page by the keyboard: its actions, and the jobs beside it in the list that it was opened from.

import { isForUs, press } from "./keys.js";

const BESIDE = { j: "next", k: "prev" };

document.addEventListener("keydown", (event) => {
  if (!isForUs(event)) return;
  const link = BESIDE[event.key] && document.querySelector(`.job-beside [rel=${BESIDE[event.key]}]`);
  link?.click();
  if (link || press(document, event.key)) event.preventDefault();
});
