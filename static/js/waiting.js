// Shows that a request is in progress: a bar at the top, aria-busy on the part that will be replaced, and a text on the pressed button.
"use strict";

// Milliseconds before anything is shown: faster requests need no indicator.
const DELAY_MS = 150;
// Maps each pending request to the function that removes its indicators.
const pending = new Map();
let pressed = null;

function begin(request, target, button) {
  const words = button?.dataset.waiting && button.textContent;
  const timer = setTimeout(() => {
    document.documentElement.classList.add("waiting");
    target?.setAttribute("aria-busy", "true");
    if (words) button.textContent = button.dataset.waiting;
  }, DELAY_MS);
  pending.set(request, () => {
    clearTimeout(timer);
    target?.removeAttribute("aria-busy");
    if (words) button.textContent = words;
  });
}

function end(request) {
  pending.get(request)?.();
  pending.delete(request);
  pressed = null;
  if (!pending.size) document.documentElement.classList.remove("waiting");
}

document.addEventListener("submit", (event) => { pressed = event.submitter; }, true);

// Polling shows no indicator.
document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!event.target.matches("[hx-trigger^=every]")) begin(ctx, ctx.target, ctx.sourceEvent?.submitter);
});

document.addEventListener("htmx:finally:request", (event) => end(event.detail.ctx));

// Another page is loading, through a link, a plain form or a redirect.
addEventListener("beforeunload", (event) => {
  // The user is asked first, and may stay.
  if (!event.defaultPrevented) begin("page", document.getElementById("main"), pressed);
});
