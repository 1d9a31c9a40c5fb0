"use strict";
// Pages work without this: it brings what is live, and asks before what cannot be undone.
(() => {
  document.addEventListener("submit", (event) => {
    const question = event.submitter && event.submitter.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  if (!window.EventSource) return;

  const live = document.getElementById("live");
  if (live) {
    new EventSource(live.dataset.events).addEventListener("overview", (event) => {
      // Who reads or walks through it by keyboard is not to lose the place.
      const selection = document.getSelection();
      const busy = live.contains(document.activeElement) || (selection && !selection.isCollapsed);
      if (!busy) live.innerHTML = event.data;
    });
  }

  const fresh = document.getElementById("fresh");
  if (fresh) {
    let count = 0;
    new EventSource(fresh.dataset.events).addEventListener("article", () => {
      count += 1;
      const link = fresh.querySelector("a");
      link.textContent = count === 1 ? "1 new article" : `${count} new articles`;
      fresh.hidden = false;
    });
  }
})();
