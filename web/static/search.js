// The list of the overview follows what is typed; without this file it follows Enter.
"use strict";

const WAIT = 200; // milliseconds after the last key

const form = document.getElementById("search");
const field = document.getElementById("q");
let timer = 0;

function show() {
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) wanted.set(name, value.trim());
  const path = wanted.size ? `/?${wanted}` : "/";
  if (path === location.pathname + location.search) return;
  history.replaceState(null, "", path);
  document.dispatchEvent(new Event("renew"));
}

field?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(show, WAIT);
});
