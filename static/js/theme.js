// Before the first paint: Bootstrap's theme follows the system's, also when that changes; rows are as dense as last time.
// Paper is white.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", apply);
  window.addEventListener("beforeprint", () => { document.documentElement.dataset.bsTheme = "light"; });
  window.addEventListener("afterprint", apply);
  apply();
  try {
    document.documentElement.dataset.rows = localStorage.getItem("printsys-rows") ?? "comfortable";
  } catch { /* a browser that stores nothing */ }
})();
