// What a page does beyond links and forms. Everything here is an extra: without it the pages still work.
"use strict";

const STEPS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
const KEY = /\b([a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{4})[0-9A-Za-z]+/g;

function relative(seconds) {
  const distance = Math.abs(seconds);
  const step = STEPS.find(([length]) => distance >= length);
  if (!step) return "just now";
  const count = Math.floor(distance / step[0]);
  const words = `${count} ${step[1]}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${words}` : `${words} ago`;
}

function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = relative(Math.trunc((Date.parse(time.dateTime) - Date.now()) / 1000));
    if (time.textContent !== words) time.textContent = words;
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
}

// A preset fills the form in; what a person then changes is theirs.
function applyPreset(radio) {
  const form = radio.form;
  const environment = form.querySelector(`input[name=environment][value="${CSS.escape(radio.dataset.environment)}"]`);
  if (environment) environment.checked = true;
  const wanted = radio.dataset.permissions.split(" ");
  for (const box of form.querySelectorAll("input[name=permissions]")) box.checked = wanted.includes(box.value);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("input[name=preset][data-permissions]")) applyPreset(event.target);
});

// Of a whole key typed into the search only its prefix is ever sent.
document.addEventListener("input", (event) => {
  if (event.target.matches("input[data-cut]")) {
    const cut = event.target.value.replace(KEY, "$1");
    if (cut !== event.target.value) event.target.value = cut;
  }
});

// A page that showed a secret may be kept whole by the browser to come back to: it is emptied before.
addEventListener("pagehide", () => {
  for (const shown of document.querySelectorAll("[data-secret]")) {
    shown.textContent = "Shown once. This page no longer holds it.";
  }
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// After a step of a form one is at its beginning again: at the first fault, else at the heading.
function arrive(main) {
  const place = main.querySelector("[aria-invalid=true]") ?? main.querySelector("h1");
  if (place?.matches("h1")) place.tabIndex = -1;
  (place?.matches("fieldset") ? place.querySelector("input") : place)?.focus();
}

// No answer came: the form stands as it was, and says so. What was sent may have arrived all the same.
function tellLost(form) {
  const note = document.createElement("p");
  note.className = "note bad";
  note.setAttribute("role", "alert");
  note.dataset.lost = "";
  note.textContent = "No answer from the server. What you typed is still here. Check your connection, then send it again.";
  form.prepend(note);
}

// A secret that is on the page was shown this once: no answer that comes later, nor where it leads, may take its place.
for (const late of ["htmx:after:request", "htmx:before:swap"]) {
  document.addEventListener(late, (event) => {
    if (document.querySelector("[data-secret]")) event.preventDefault();
  });
}

// What was typed into a form that asks by its address goes into this page's address first: Back comes back to it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-typed]")) return;
  history.replaceState(history.state, "", `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
});

// A plain form is sent once: a second press would throw the answer to the first away.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 10000);
});

document.addEventListener("htmx:before:request", (event) => {
  // What asks by itself does so only while somebody sees it, and not under a form that is being sent.
  const unasked = document.hidden || document.querySelector("form.htmx-request");
  if (unasked && event.target.matches("[hx-trigger^=every]")) event.preventDefault();
  event.target.querySelector?.("[data-lost]")?.remove();
});

document.addEventListener("htmx:error", (event) => {
  const form = event.target.closest?.("form");
  if (form && !form.querySelector("[data-lost]")) tellLost(form);
});

document.addEventListener("htmx:after:swap", (event) => {
  refreshTimes();
  const target = event.detail?.ctx?.target;
  if (target?.id === "main") arrive(target);
});

setInterval(refreshTimes, 5000);
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
