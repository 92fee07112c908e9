// The counter as one types: what the scale says, the sum of what is ticked, and how many prints go.

document.documentElement.classList.add("has-script");
const form = document.querySelector("form.counter");

if (form) {
  const amount = form.elements.amount;
  const button = form.querySelector("#hand-out");
  const rows = [...form.querySelectorAll(".counter-job")];
  const summary = document.getElementById("error-summary");
  let isTyped = summary !== null || form.querySelector("#remarks") !== null;

  const cents = (text) => Math.round(Number(text || 0) * 100);
  const tick = (row) => row.querySelector("[name=job]");

  function due(row) {
    if (row.dataset.unpaid) return cents(row.dataset.unpaid);
    const scale = row.querySelector("[data-scale]")?.dataset.scale;
    const isByScale = scale && row.querySelector("[value=scale]").checked;
    return Math.max(0, cents(isByScale ? scale : row.dataset.quote) - cents(row.dataset.paid));
  }

  function add() {
    const ticked = rows.filter((row) => tick(row).checked);
    if (!isTyped) amount.value = (ticked.reduce((sum, row) => sum + due(row), 0) / 100).toFixed(2);
    if (form.querySelector("#remarks")) return;
    const prints = ticked.filter((row) => !row.dataset.unpaid).length;
    button.disabled = ticked.length === 0;
    button.textContent = prints === 0 ? "Take the payment" : `Take the payment and hand out ${prints} ${prints === 1 ? "print" : "prints"}`;
  }

  async function weigh(row) {
    const field = row.querySelector("[name^=weight_g]");
    const charge = row.querySelector(".counter-charge");
    if (!field || !charge) return;
    const question = new URLSearchParams({ job: row.dataset.job, weight_g: field.value.trim() });
    let answer = null;
    try {
      const response = await fetch(`${form.dataset.price}?${question}`, { headers: { Accept: "application/json" }, redirect: "error" });
      if (response.ok) answer = await response.json();
    } catch {
      return;  // the page works without: the price shows when the payment is taken
    }
    if (question.get("weight_g") !== field.value.trim()) return;
    const shown = charge.querySelector("[data-scale]");
    shown.dataset.scale = answer?.scale ?? "";
    shown.textContent = answer?.text ?? "";
    shown.nextElementSibling.textContent = answer?.discounts ? `scale: ${answer.discounts}` : "scale";
    charge.toggleAttribute("data-same", !answer?.scale);
    add();
  }

  form.addEventListener("input", (event) => {
    if (event.target === amount) isTyped = true;
    const row = event.target.closest(".counter-job");
    if (row && event.target.name.startsWith("weight_g")) weigh(row);
    else if (row) add();
  });
  form.addEventListener("keydown", (event) => {  // a scanner types the next ticket into whatever has the focus
    const scanned = event.key === "Enter" && /\/dashboard\/jobs\/([0-9a-z]{8})/i.exec(event.target.value ?? "");
    if (!scanned) return;
    event.preventDefault();
    location.assign(`${form.action}?q=${scanned[1]}`);
  });
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => { delete form.dataset.sent; });
  add();
  (form.querySelector("#remarks") ? button : summary ?? amount)?.focus();
}
