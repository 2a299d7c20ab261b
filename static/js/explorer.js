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
      "Accept": "application/graphql-response+json, application/json;q=0.9",
      "X-CSRF-Token": csrf,
    },
    body: JSON.stringify(request),
  });
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
