// Enhances pages beyond links and forms. Pages work without it.
"use strict";

const STEPS = [
  [31536000, 31536000, "year"], [8640000, 2592000, "month"], [86400, 86400, "day"],
  [3600, 3600, "hour"], [60, 60, "minute"], [1, 1, "second"],
];
const KEY = /\b([a-z][a-z0-9]{1,7}_(?:live|test|mgmt|gate)_[0-9A-Za-z]{4})[0-9A-Za-z]+/g;

function relative(seconds) {
  const distance = Math.abs(seconds);
  const step = STEPS.find(([least]) => distance >= least);
  if (!step) return "just now";
  const count = Math.floor(distance / step[1]);
  const words = `${count} ${step[2]}${count === 1 ? "" : "s"}`;
  return seconds > 0 ? `in ${words}` : `${words} ago`;
}

function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const words = relative(Math.trunc((Date.parse(time.dateTime) - Date.now()) / 1000));
    if (time.textContent !== words) time.textContent = words;
  }
}

// Choosing a preset fills the form in; later changes by the user are kept.
function applyPreset(radio) {
  const form = radio.form;
  const environment = form.querySelector(`input[name=environment][value="${CSS.escape(radio.dataset.environment)}"]`);
  if (environment) environment.checked = true;
  const wanted = radio.dataset.permissions.split(" ");
  for (const box of form.querySelectorAll("input[name=permissions]")) box.checked = wanted.includes(box.value);
}

// A long list of choices can be filtered; what is hidden stays as chosen.
document.addEventListener("input", (event) => {
  const list = document.getElementById(event.target.dataset.filters ?? "");
  const words = event.target.value?.trim().toLowerCase();
  for (const choice of list?.children ?? []) choice.hidden = !choice.textContent.toLowerCase().includes(words);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("[data-filters]")) event.preventDefault();
});

// Where keys must expire, "No expiration" cannot be chosen.
function offerLifetimes() {
  const never = document.querySelector("[data-typed] [name=lifetime][value=never]");
  if (!never) return;
  const must = never.form.querySelector("[data-must-expire]:checked") !== null;
  if (must) never.checked = false;
  else if (never.disabled && !never.form.querySelector("[name=lifetime]:checked")) never.checked = true;
  never.disabled = must;
}

// The checkbox in the head of a list selects all of its page; the bar below says how many are selected.
function countPicked() {
  const bar = document.querySelector("[data-picked]");
  if (bar) bar.textContent = `${document.querySelectorAll("td.pick :checked").length} selected`;
}
document.addEventListener("change", (event) => {
  const name = event.target.dataset.all;
  const boxes = name ? event.target.closest("table").querySelectorAll(`tbody input[name=${name}]`) : [];
  for (const box of boxes) box.checked = event.target.checked;
  countPicked();
});
addEventListener("pageshow", countPicked);

document.addEventListener("change", (event) => {
  if (event.target.matches("input[name=preset][data-permissions]")) applyPreset(event.target);
  offerLifetimes();
});
offerLifetimes();

// A menu closes when the user goes elsewhere, or by Escape, which returns to its button.
function closeMenus(except) {
  for (const menu of document.querySelectorAll(".menu details[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest(".menu details")));
document.addEventListener("focusin", (event) => closeMenus(event.target.closest(".menu details")));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.(".menu details[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// If someone pastes a complete key into the search, or into a form whose input is kept in the URL, only its prefix is sent.
document.addEventListener("input", (event) => {
  if (event.target.closest("[data-cut]") && "value" in event.target) {
    const cut = event.target.value.replace(KEY, "$1");
    if (cut !== event.target.value) event.target.value = cut;
  }
});

// After each step of a form, moves the focus to the first faulty field, or else to the heading.
function moveFocus(main) {
  const target = main.querySelector("[aria-invalid=true]") ?? main.querySelector("h1");
  if (target?.matches("h1")) target.tabIndex = -1;
  (target?.matches("fieldset") ? target.querySelector("input") : target)?.focus();
}

// No answer arrived: the form keeps its input and shows a message. The server may still have received the request.
const LOST = "No answer from the server. What you typed is still here. Check your connection, then send it again.";
const LOST_SUMMARY = "No answer from the server: this summary is not up to date.";
function showConnectionLost(place, words) {
  const note = document.createElement("p");
  note.className = "note bad";
  note.setAttribute("role", "alert");
  note.dataset.lost = "";
  note.textContent = words;
  place.prepend(note);
}

// Stores the input of a GET form in this page's URL before it is sent, so that Back restores it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-typed]")) return;
  history.replaceState(history.state, "", `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
});

// A plain form is sent once: a second submission would discard the answer to the first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 10000);
});

document.addEventListener("htmx:before:request", (event) => {
  // Polling happens only while the page is visible and no form is being sent.
  const skipPolling = document.hidden || document.querySelector("form.htmx-request");
  if (skipPolling && event.target.matches("[hx-trigger^=every]")) event.preventDefault();
  event.target.querySelector?.("[data-lost]")?.remove();
});

document.addEventListener("htmx:error", (event) => {
  const place = event.target.closest?.("#summary, form");
  if (!place) return;
  place.querySelector(":scope > [data-lost]")?.remove();
  showConnectionLost(place, place.id === "summary" ? LOST_SUMMARY : LOST);
});

document.addEventListener("htmx:after:swap", (event) => {
  refreshTimes();
  offerLifetimes();
  const target = event.detail?.ctx?.target;
  if (target?.id === "main") moveFocus(target);
});

setInterval(refreshTimes, 5000);
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
