// How long the e-mail of a dragged folder still waits.

export function countDown(root) {
  for (const place of root.querySelectorAll(".countdown")) {
    const until = Date.parse(place.dataset.until);
    const tick = () => {
      const seconds = Math.ceil((until - Date.now()) / 1000);
      place.textContent = seconds > 0 ? `in ${seconds} s` : "now";
      if (seconds > 0 && place.isConnected) setTimeout(tick, 1000);
    };
    tick();
  }
}
