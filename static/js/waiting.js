// What is awaited is seen: a bar at the top, what will be replaced is busy, and the pressed button says what it does.
"use strict";

// What takes no longer than this is not worth a word.
const UNNOTICED = 150;
// By request, what ends the waiting for it.
const awaited = new Map();
let pressed = null;

function begin(request, place, button) {
  const words = button?.dataset.waiting && button.textContent;
  const timer = setTimeout(() => {
    document.documentElement.classList.add("waiting");
    place?.setAttribute("aria-busy", "true");
    if (words) button.textContent = button.dataset.waiting;
  }, UNNOTICED);
  awaited.set(request, () => {
    clearTimeout(timer);
    place?.removeAttribute("aria-busy");
    if (words) button.textContent = words;
  });
}

function end(request) {
  awaited.get(request)?.();
  awaited.delete(request);
  pressed = null;
  if (!awaited.size) document.documentElement.classList.remove("waiting");
}

document.addEventListener("submit", (event) => { pressed = event.submitter; }, true);

// Nobody waits for what a page asks by itself.
document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!event.target.matches("[hx-trigger^=every]")) begin(ctx, ctx.target, ctx.sourceEvent?.submitter);
});

document.addEventListener("htmx:finally:request", (event) => end(event.detail.ctx));

// Another page is on its way, by a link, a plain form or a redirection.
addEventListener("beforeunload", () => begin("page", document.getElementById("main"), pressed));
