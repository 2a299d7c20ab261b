// Copying, and the secrets that are shown once: the page asks before it is left with one that was not copied, no late answer replaces
// one, and a page that is left keeps none.
"use strict";

const SHOWN_ONCE = "[data-secret]";
const ASK = "The secret on this page was not copied yet, and it is not shown again. Leave anyway?";

// A secret can be on the page in several forms, of which one copy is enough; `data-kept` marks those with one.
function markKept(shown) {
  (shown.closest(".once") ?? shown.closest(".copyable")).dataset.kept = "";
}
function isUncopied() {
  return [...document.querySelectorAll(SHOWN_ONCE)].some((shown) => !shown.closest("[data-kept]"));
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const isSecret = source.matches(SHOWN_ONCE);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.firstChild.data = "Copied";
    if (isSecret) markKept(source);
  } catch {
    getSelection().selectAllChildren(source);
    button.firstChild.data = "Selected";
  }
  // Of a secret one wants to know for certain that it was copied.
  if (!isSecret) setTimeout(() => { button.firstChild.data = "Copy"; }, 2500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
  // The main link of such a page says that the secret was saved.
  if (event.target.closest("main a.button.first")) document.querySelectorAll(SHOWN_ONCE).forEach(markKept);
});

// By selecting a secret and Ctrl C.
document.addEventListener("copy", () => {
  const copied = String(getSelection());
  for (const shown of document.querySelectorAll(SHOWN_ONCE)) {
    if (!copied.includes(shown.textContent.trim())) continue;
    markKept(shown);
    document.querySelector(`[data-copy="${CSS.escape(shown.id)}"]`).firstChild.data = "Copied";
  }
});

addEventListener("beforeunload", (event) => {
  if (isUncopied()) event.preventDefault();
});

// HTMX replaces a page without leaving it, so that the question is ours. These requests have the user's answer.
const leaving = new WeakSet();
document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!ctx.target?.querySelector?.(SHOWN_ONCE)) return;
  // The second press of a double click, queued while the first was being answered.
  if (!ctx.sourceElement.isConnected) return void event.preventDefault();
  if (isUncopied() && !confirm(ASK)) event.preventDefault();
  else leaving.add(ctx);
});

// A request that began before the secret was shown may replace nothing, nor redirect. Parts that poll hold none, but may not redirect
// either, for example to the sign-in page.
for (const late of ["htmx:after:request", "htmx:before:swap"]) {
  document.addEventListener(late, (event) => {
    const polls = event.target.matches?.("[hx-trigger^=every]") && !event.target.querySelector(SHOWN_ONCE);
    const stays = polls && !event.detail.ctx.response?.headers.get("HX-Redirect");
    if (!stays && !leaving.has(event.detail.ctx) && document.querySelector(SHOWN_ONCE)) event.preventDefault();
  });
}

// The browser's back-forward cache could keep a page with its secret.
addEventListener("pagehide", () => {
  for (const shown of document.querySelectorAll(SHOWN_ONCE)) shown.textContent = "Shown once. This page no longer holds it.";
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
