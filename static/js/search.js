// `/` leads to the search of the page, in the head or below it.

import { isForUs } from "./keys.js";

const search = document.querySelector("#site-q, #q");

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || !isForUs(event) || search.offsetParent === null) return;
  event.preventDefault();
  search.focus();
  search.select();
});
