// A page that follows what happens: it reads itself anew, and leaves alone what its reader does.
"use strict";

const MINUTE = 60_000; // times like "3 minutes ago" grow old, and hidden pages are not told
const PAUSE = 1_000; // between two readings
const POLL = 15_000; // where nobody tells what happens: a screen without a login
const AGAIN = 10_000; // after the server refused

const main = document.getElementById("main");
const unconnected = document.getElementById("unconnected");
let source = null;
let wasConnected = false;
let isReading = false;
let isOutdated = false;
let isHurried = false; // somebody waits for it

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const keeping = {
  callbacks: {
    beforeNodeMorphed: (old) => !(old.matches?.("input:not([type=hidden]), select, textarea")),
    beforeNodeRemoved: (old) => !(old.matches?.(".flash")),
    beforeAttributeUpdated: (name, element) =>
      !(name === "open" && element.matches("details")) &&
      !(name === "hidden" && element.matches("[data-copy]")),
  },
};

async function renew() {
  isOutdated = true;
  if (isReading) return;
  isReading = true;
  while (isOutdated) {
    isOutdated = false;
    await read();
    for (let waited = 0; waited < PAUSE && !isHurried; waited += PAUSE / 10) await pause(PAUSE / 10);
    isHurried = false;
  }
  isReading = false;
}

async function read() {
  let answer;
  let text;
  try {
    answer = await fetch(location.href, { headers: { "X-Renew": "yes" }, redirect: "manual" });
    text = await answer.text();
  } catch {
    unconnected.hidden = false;
    return;
  }
  if (answer.type === "opaqueredirect" || answer.status === 404) location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  Idiomorph.morph(main, page.getElementById("main"), keeping);
  document.title = page.title;
  const icon = document.querySelector("link[rel=icon]");
  const newIcon = page.querySelector("link[rel=icon]").getAttribute("href");
  if (icon.getAttribute("href") !== newIcon) icon.setAttribute("href", newIcon);
  unconnected.hidden = true;
  document.dispatchEvent(new Event("renewed"));
}

function showProgress(event) {
  for (const progress of JSON.parse(event.data)) {
    for (const shown of document.querySelectorAll(`[data-session="${progress.session}"]`)) {
      shown.textContent = progress[shown.dataset.figure];
    }
  }
}

function showWork(event) {
  for (const work of JSON.parse(event.data)) {
    for (const shown of document.querySelectorAll(`[data-work="${work.work}"]`)) {
      shown.textContent = work[shown.dataset.figure];
    }
    const bar = document.querySelector(`[data-bar="${work.work}"]`);
    const isShown = document.getElementById(`work-${work.work}`);
    if (isShown && !bar && work.percent !== null) renew(); // now there is something to measure by
    if (!bar || work.percent === null) continue;
    bar.setAttribute("aria-valuenow", work.percent);
    bar.lastElementChild.setAttribute("width", work.percent);
  }
}

// Browsers allow few connections to one server: only the page that is looked at holds one.
function follow() {
  if (document.hidden) {
    source?.close();
    source = null;
    return;
  }
  if (source) return;
  source = new EventSource("/live");
  source.addEventListener("changed", renew);
  source.addEventListener("progress", showProgress);
  source.addEventListener("work", showWork);
  source.addEventListener("open", () => {
    if (wasConnected) renew();
    wasConnected = true;
  });
  source.addEventListener("error", () => {
    unconnected.hidden = false;
    if (source?.readyState !== EventSource.CLOSED) return; // else the browser tries again
    source = null;
    renew();
    setTimeout(follow, AGAIN);
  });
}

document.addEventListener("renew", () => {
  isHurried = true;
  renew();
});

if (document.body.hasAttribute("data-poll")) {
  setInterval(renew, POLL);
} else {
  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) renew();
  });
  setInterval(renew, MINUTE);
  follow();
}
