// GraphiQL with a memory that ends with the page: tabs can hold secrets, and the browser's storage would outlive sign-out.
"use strict";

const root = document.getElementById("explorer");
const { endpoint, csrf, tabs } = root.dataset;

class Memory {
  #kept = new Map();
  get length() { return this.#kept.size; }
  getItem(name) { return this.#kept.get(name) ?? null; }
  setItem(name, value) { this.#kept.set(name, String(value)); }
  removeItem(name) { this.#kept.delete(name); }
  clear() { this.#kept.clear(); }
}

async function fetcher(request, options) {
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
  return response.json();
}

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, {
    fetcher,
    storage: new Memory(),
    defaultTabs: JSON.parse(tabs),
    shouldPersistHeaders: false,
  }),
);
