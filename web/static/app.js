// Comfort only: every page says the same without this file. All words are in the pages.
"use strict";

const two = (number) => String(number).padStart(2, "0");

function dayOf(at) {
  const parts = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())];
  return document.documentElement.lang === "de" ? parts.reverse().join(".") : parts.join("-");
}

function localTime(at) {
  return `${dayOf(at)} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

// As the server says it where it knows the time zone.
function soonOf(at) {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const days = Math.floor((at - midnight) / 86_400_000);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (days === 0 || (at > Date.now() && at - Date.now() < 43_200_000)) return clock;
  if (days < 0 || days > 6) return dayOf(at);
  const name = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short" });
  return `${name.format(at)} ${clock}`;
}

function showLocalTimes() {
  for (const tip of document.querySelectorAll("title[data-at]")) {
    const at = new Date(tip.dataset.at);
    if (Number.isNaN(at.getTime())) continue;
    tip.textContent = tip.textContent.replace(/^.*? UTC:/, `${localTime(at)}:`);
  }
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = time.dataset.local === "soon" ? soonOf(at) : localTime(at);
  }
}

function offerCopies() {
  // The clipboard is there on HTTPS and on this machine only.
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
}

function polish() {
  showLocalTimes();
  offerCopies();
}

// On a phone the ways scroll sideways: the current one is in view.
for (const way of document.querySelectorAll(".ways [aria-current]")) {
  const ways = way.parentElement;
  ways.scrollLeft = way.offsetLeft - (ways.clientWidth - way.offsetWidth) / 2;
}

// A time zone that nobody has chosen yet is the browser's.
for (const field of document.querySelectorAll("input[data-browser-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || field.value;
}

// "/" leads to the search, or to the first filter of a list.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  const search = document.querySelector(
    "input[type=search], form[role=search] :is(input:not([type=hidden]), select)",
  );
  if (!search) return;
  event.preventDefault();
  search.focus();
});

polish();
document.addEventListener("renewed", polish);

for (const here of document.querySelectorAll(".further [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}

// A list of all repositories would be too long: what matches is asked for while one types.
function suggest(field) {
  const list = document.getElementById(field.getAttribute("list"));
  let asked = "";
  field.addEventListener("input", () => {
    asked = field.value.trim();
    const text = asked;
    if (!text) return;
    setTimeout(async () => {
      if (text !== asked) return; // another letter came
      const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(text)}`).catch(() => null);
      if (!answer?.ok || text !== asked) return;
      const options = (await answer.json()).map((name) => new Option(name, name));
      list.replaceChildren(...options);
    }, 150);
  });
}

for (const field of document.querySelectorAll("input[data-suggest]")) suggest(field);

const status = document.getElementById("status");
let silence;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  const source = button && document.getElementById(button.dataset.copy);
  if (!source || button.textContent === button.dataset.done) return;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
  } catch {
    getSelection().selectAllChildren(source);
    return;
  }
  const word = button.textContent;
  button.textContent = button.dataset.done;
  status.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = word), 2000);
  clearTimeout(silence); // of the copy before: its time is not this one's
  silence = setTimeout(() => (status.textContent = ""), 2000);
});
