// The search as a dialog (Ctrl K or ⌘K), and keyboard shortcuts. Without this script the search is a page, and every place has a link.
"use strict";

const palette = document.getElementById("palette");
const shortcuts = document.getElementById("shortcuts");
const hits = document.getElementById("palette-hits");
const field = palette.querySelector("[role=combobox]");
const said = palette.querySelector("[role=status]");
// WCAG 2.1.4: shortcuts of single characters can be turned off. This choice is all that is stored.
const CHOICE = "keydesk-single-keys";
const WAIT_MS = 120;
const SEQUENCE_MS = 1200;
let search = Promise.resolve();
let controller = new AbortController();
let timer = 0;
let typed = "";

function select(option) {
  for (const each of hits.querySelectorAll("[aria-selected=true]")) each.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
}

function move(step) {
  const options = [...hits.querySelectorAll("[role=option]")];
  const at = options.findIndex((each) => each.ariaSelected === "true");
  if (options.length) select(options[(at + step + options.length) % options.length]);
}

function show(markup, words) {
  hits.innerHTML = markup;
  const options = hits.querySelectorAll("[role=option]");
  field.setAttribute("aria-expanded", String(options.length > 0));
  said.textContent = words ?? (options.length ? "" : "No results.");
  select(options[0]);
}

async function find() {
  controller.abort();
  controller = new AbortController();
  const address = `${field.form.action}?${new URLSearchParams(new FormData(field.form))}`;
  try {
    const headers = { "HX-Request": "true", "HX-Target": "div#hits" };
    const answer = await fetch(address, { headers, credentials: "same-origin", signal: controller.signal });
    // The session has ended: the search's own page leads to the sign-in and back.
    if (answer.headers.get("hx-redirect")) location.assign(address);
    else if (answer.ok) show(await answer.text());
    else show("", "The search failed. Try again in a moment.");
  } catch (reason) {
    if (reason.name !== "AbortError") show("", "No answer from the server. Check your connection.");
  }
}

function openPalette() {
  shortcuts.close();
  if (!palette.open) palette.showModal();
  field.select();
  search = find();
}

// A shortcut must not take away what is shown only once, nor what has been typed.
function wouldLose() {
  const fields = document.querySelectorAll("main form:not([role=search]) :is(input:not([type=hidden]), textarea)");
  return document.querySelector("[data-secret]") || [...fields].some((each) => each.value !== each.defaultValue);
}

function press(key) {
  if (key === "?") {
    shortcuts.showModal();
  } else if (key === "/") {
    const own = document.querySelector("main input[type=search]");
    if (own) own.focus();
    else openPalette();
  } else {
    follow(typed ? `${typed} ${key}` : key, key);
  }
}

function follow(keys, last) {
  const link = shortcuts.querySelector(`[data-keys="${CSS.escape(keys)}"]`);
  clearTimeout(timer);
  typed = link ? "" : last;
  timer = setTimeout(() => { typed = ""; }, SEQUENCE_MS);
  if (link && !wouldLose()) location.assign(link.href);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.repeat) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (palette.open) palette.close();
    else openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1) return;
  const isTyping = event.target.closest("input, textarea, select, dialog, [contenteditable]");
  if (isTyping || localStorage.getItem(CHOICE) === "off") return;
  if (event.key === "/") event.preventDefault();
  press(event.key.toLowerCase());
});

field.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.isComposing) return;
  event.preventDefault();
  move(step);
});

// On the document, so that desk.js has already cut a pasted key to its prefix.
document.addEventListener("input", (event) => {
  if (event.target !== field) return;
  clearTimeout(timer);
  search = new Promise((resolve) => { timer = setTimeout(resolve, WAIT_MS); }).then(find);
});

// Enter follows what belongs to the text in the field, not what is still shown of an earlier one.
field.form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await search;
  hits.querySelector("[aria-selected=true]")?.click();
});

hits.addEventListener("pointermove", (event) => {
  const option = event.target.closest("[role=option]");
  if (option && option.ariaSelected !== "true") select(option);
});

// A closed dialog must not keep the focus: what is typed next may be a shortcut.
palette.addEventListener("close", () => field.blur());

for (const dialog of [palette, shortcuts]) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("a.find") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openPalette();
});

const choice = document.getElementById("single-keys");
choice.checked = localStorage.getItem(CHOICE) !== "off";
choice.addEventListener("change", () => {
  if (choice.checked) localStorage.removeItem(CHOICE);
  else localStorage.setItem(CHOICE, "off");
});

const modifier = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";
for (const each of document.querySelectorAll(".find kbd, [data-modifier]")) {
  each.textContent = modifier;
  each.hidden = false;
}
