// GraphiQL with storage in memory only: tabs can contain secrets, and the browser's storage would outlive sign-out.
"use strict";

const root = document.getElementById("explorer");
const { endpoint, user, tabs } = root.dataset;
const confirmation = document.getElementById("confirm");

class MemoryStorage {
  #kept = new Map();
  get length() { return this.#kept.size; }
  getItem(name) { return this.#kept.get(name) ?? null; }
  setItem(name, value) { this.#kept.set(name, String(value)); }
  removeItem(name) { this.#kept.delete(name); }
  clear() { this.#kept.clear(); }
}

// Another tab may have renewed, ended or replaced the session, so the CSRF token is fetched before each request.
async function fetchCsrfToken() {
  const answer = await fetch(`${endpoint}/session`, { credentials: "same-origin" });
  if (answer.status === 401) throw new Error("You are signed out. Sign in again in another tab, then run this once more.");
  const session = await answer.json();
  if (session.user !== user) throw new Error("Someone else has signed in since. Reload this page to go on as they are.");
  return session.csrfToken;
}

function offerConfirmation(address) {
  confirmation.hidden = !address;
  if (address) confirmation.querySelector("a").href = address;
}

// The results of a subscription. When GraphiQL stops it, the connection is closed.
async function* results(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.match(/^event: next\ndata: (.*)$/m);
        if (data) yield JSON.parse(data[1]);
      }
    }
  } finally {
    await reader.cancel();
  }
}

async function fetcher(request, options) {
  let csrf;
  try {
    csrf = await fetchCsrfToken();
  } catch (reason) {
    return { errors: [{ message: reason.message }] };
  }
  const response = await fetch(endpoint, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      ...options?.headers,
      "Content-Type": "application/json",
      "Accept": "application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.8",
      "X-CSRF-Token": csrf,
    },
    body: JSON.stringify(request),
  });
  if (response.headers.get("Content-Type").startsWith("text/event-stream")) return results(response.body);
  const content = await response.json();
  offerConfirmation(content.extensions?.confirmUrl);
  return content;
}

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, {
    fetcher,
    storage: new MemoryStorage(),
    defaultTabs: JSON.parse(tabs),
    shouldPersistHeaders: false,
  }),
);
