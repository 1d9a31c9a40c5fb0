"use strict";
// Pages work without this: it brings what is live, and asks before what cannot be undone.
(() => {
  document.addEventListener("submit", (event) => {
    const question = event.submitter && event.submitter.dataset.ask;
    if (question && !window.confirm(question)) event.preventDefault();
  });
  const bar = document.getElementById("live-bar");
  if (!window.EventSource || !bar) return;
  const state = bar.querySelector("span");
  const button = bar.querySelector("button");
  const source = document.querySelector("[data-events]");

  let stream = null;
  let timer = 0;
  let wait = 0;
  let since = null;
  let last = null;
  let paused = false;

  const clock = () => `${new Date().toISOString().slice(11, 16)} UTC`;
  const say = (text) => {
    if (state.textContent !== text) state.textContent = text;
  };
  const lost = () => {
    since = since || clock();
    say(`Not live since ${since}`);
  };
  const found = () => {
    since = null;
    wait = 0;
    say("Live");
  };
  const close = () => {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
  };

  // A browser goes on by itself where the connection broke, but not where the answer was that it cannot be now.
  const open = (handlers) => {
    close();
    let address = source.dataset.events;
    if (last) {
      const url = new URL(address, location.href);
      url.searchParams.set("after", last);
      address = url.href;
    }
    stream = new EventSource(address);
    stream.onopen = found;
    stream.onerror = () => {
      lost();
      if (stream.readyState !== EventSource.CLOSED) return;
      close();
      wait = Math.min(wait ? 2 * wait : 2000, 60000);
      timer = setTimeout(() => open(handlers), wait);
    };
    for (const [name, act] of Object.entries(handlers)) {
      stream.addEventListener(name, (event) => {
        found();
        if (event.lastEventId) last = event.lastEventId;
        act(event);
      });
    }
  };

  let handlers;
  if (source.id === "live") {
    handlers = {
      overview: (event) => {
        // Who reads or walks through it by keyboard is not to lose the place.
        const selection = document.getSelection();
        const busy = source.contains(document.activeElement) || (selection && !selection.isCollapsed);
        if (!busy) source.innerHTML = event.data;
      },
    };
  } else {
    const fresh = new Set();
    const link = source.querySelector("a");
    handlers = {
      here: () => {},
      article: (event) => {
        const article = JSON.parse(event.data);
        // What is only told anew is in its place already.
        if (article.revision !== 1 || document.querySelector(`a[href^="/articles/${article.id}"]`)) return;
        fresh.add(article.id);
        link.textContent = fresh.size === 1 ? "1 new article" : `${fresh.size} new articles`;
        source.hidden = false;
      },
      withdrawn: (event) => fresh.delete(JSON.parse(event.data).id),
      lost: () => {
        link.textContent = "New articles";
        source.hidden = false;
      },
    };
  }

  // A page that nobody sees takes no place from others: a browser has six connections to a server.
  const follow = () => {
    const wanted = !paused && !document.hidden;
    if (wanted && !stream) open(handlers);
    if (!wanted) close();
  };
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    since = null;
    if (paused) say(`Paused at ${clock()}`);
    follow();
  });
  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", follow);
  bar.hidden = false;
  say("Connecting");
  follow();
})();
