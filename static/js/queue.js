// Dragging a job to another place in its printer's column. Without this script the buttons of each job move it.

let dragged = null;
let before = [];  // the column's jobs, as they were when the drag began

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".queue-job");
  if (!dragged) return;
  before = [...dragged.parentElement.children];
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.job);
  dragged.classList.add("is-dragged");
});

document.addEventListener("dragover", (event) => {
  if (!dragged?.parentElement.contains(event.target)) return;
  event.preventDefault();
  const over = event.target.closest?.(".queue-job");
  if (!over) return;  // the gap between two jobs
  const { top, height } = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
});

document.addEventListener("drop", (event) => {
  if (!dragged) return;
  event.preventDefault();
  const form = dragged.closest(".queue-column").querySelector(".queue-order");
  for (const job of dragged.parentElement.querySelectorAll(".queue-job")) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = "job";
    input.value = job.dataset.job;
    form.append(input);
  }
  before = [];
  form.submit();
});

// Without a drop, nobody saves the order that the page shows.
document.addEventListener("dragend", () => {
  dragged?.classList.remove("is-dragged");
  dragged?.parentElement.append(...before);
  dragged = null;
});

// After a button has moved a job, its buttons are open again, so that the next press is one key. The browser itself puts
// the focus on the job, once the page is complete.
function openMoved() {
  const moved = document.getElementById(window.location.hash.slice(1));
  if (!moved?.matches(".queue-job")) return;
  const by = new URLSearchParams(window.location.search).get("by") ?? "up";
  moved.querySelector(".queue-more").open = true;
  moved.querySelector(`button[value="${CSS.escape(by)}"]`)?.focus();
}

window.addEventListener("load", () => setTimeout(openMoved));
