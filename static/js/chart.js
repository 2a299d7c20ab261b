// The slider over a chart chooses a bar, by keyboard, pointer or touch; the bar's figures are shown above and read out.
"use strict";

// The chosen bar of each chart that the user has asked, so that an update of the page keeps it.
const chosenBars = new Map();

function showBar(cursor, index) {
  const figure = cursor.closest(".chart");
  const bars = figure.querySelectorAll("svg g:has(> title)");
  const bar = bars[Math.min(index, bars.length - 1)];
  const words = bar.querySelector("title").textContent;
  cursor.value = index;
  cursor.setAttribute("aria-valuetext", words);
  figure.querySelector("[data-reading]").textContent = words;
  for (const each of bars) each.classList.toggle("at", each === bar);
  chosenBars.set(figure.id, index);
}

function prepareCharts() {
  for (const cursor of document.querySelectorAll("[data-cursor]")) {
    // As wide as a bar: the browser then moves it from bar to bar.
    cursor.style.setProperty("--steps", Number(cursor.max) + 1);
    const index = chosenBars.get(cursor.closest(".chart").id);
    if (index !== undefined && index <= Number(cursor.max)) showBar(cursor, index);
  }
}

for (const asked of ["input", "focusin"]) {
  document.addEventListener(asked, (event) => {
    if (event.target.matches("[data-cursor]")) showBar(event.target, Number(event.target.value));
  });
}

document.addEventListener("pointermove", (event) => {
  if (event.pointerType !== "mouse" || !event.target.matches?.("[data-cursor]")) return;
  const cursor = event.target;
  const steps = Number(cursor.max) + 1;
  const index = Math.floor((event.offsetX / cursor.clientWidth) * steps);
  showBar(cursor, Math.max(0, Math.min(index, steps - 1)));
});

document.addEventListener("htmx:after:swap", prepareCharts);
prepareCharts();
