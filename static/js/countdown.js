// How long the e-mail of a dragged folder still waits.

export function countDown(root) {
  for (const place of root.querySelectorAll(".countdown")) {
    const until = Date.parse(place.dataset.until);
    const tick = () => {
      const seconds = Math.ceil((until - Date.now()) / 1000);
      const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      place.textContent = seconds >= 60 ? `in ${clock} min` : seconds > 0 ? `in ${seconds} s` : "now";
      if (seconds > 0 && place.isConnected) setTimeout(tick, 1000);
    };
    tick();
  }
}
