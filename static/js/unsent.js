// What somebody typed into a form of the panel and did not send yet: set aside when the panel shows something else, and
// written back into the same form when it is there again.

const fields = [];  // {form, path, name, value, isChecked}
const pathOf = (form) => new URL(form.getAttribute("action"), window.location.href).pathname;
const isTicked = (field) => field.matches("[type=checkbox], [type=radio]");

function canTake(field, { name, value }) {
  if (field.name !== name) return false;
  if (field.options) return [...field.options].some((option) => option.value === value);
  return !isTicked(field) || field.value === value;
}

export function watch(panel) {
  panel.addEventListener("input", ({ target }) => {
    if (target.form && target.name && target.type !== "file") target.dataset.typed = "1";
  });
}

// Before `panel` is filled with something else.
export function setAside(panel) {
  for (const field of panel.querySelectorAll("[data-typed]")) {
    const { form, name, value, checked } = field;
    fields.push({ form, path: pathOf(form), name, value, isChecked: checked });
  }
}

// The answer to `form` shows what became of it.
export function forget(form) {
  for (const field of form.elements) delete field.dataset.typed;
  fields.splice(0, fields.length, ...fields.filter((field) => field.form !== form));
}

export function putBack(panel) {
  for (const form of panel.querySelectorAll("form[method=post]")) {
    const own = fields.filter((field) => field.path === pathOf(form));
    for (const typed of own) {
      const field = [...form.elements].find((other) => canTake(other, typed));
      if (!field) continue;
      if (isTicked(field)) field.checked = typed.isChecked;
      else field.value = typed.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (own.length) fields.splice(0, fields.length, ...fields.filter((field) => !own.includes(field)));
  }
}
