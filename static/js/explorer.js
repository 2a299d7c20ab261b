// GraphiQL with storage in memory only: tabs can contain secrets, and the browser's storage would outlive sign-out.
"use strict";

const root = document.getElementById("explorer");
const { endpoint, user, name } = root.dataset;
const operations = JSON.parse(root.dataset.operations);
const first = JSON.parse(root.dataset.first);
const confirmation = document.getElementById("confirm");
const menu = document.getElementById("operation");
// One management key for all tabs, for as long as this page is open.
const managementKey = document.getElementById("management-key");
const caller = document.getElementById("caller");
const { useEditorContext } = GraphiQL.React;
const element = React.createElement;

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
  if (session.user !== user) throw new Error("Someone else has signed in since. Reload this page to continue as that user.");
  return session.csrfToken;
}

function offerConfirmation(address) {
  confirmation.hidden = !address;
  if (address) confirmation.querySelector("a").href = address;
}

// A tab's own headers come first; then the management key of the page; then the session.
async function credentials(given) {
  if (Object.keys(given).some((header) => header.toLowerCase() === "authorization")) return given;
  const key = managementKey.value.trim();
  return key ? { ...given, "Authorization": `Bearer ${key}` } : { ...given, "X-CSRF-Token": await fetchCsrfToken() };
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

// GraphiQL notices a moment too late that the operation was renamed or replaced.
function named({ operationName, ...request }) {
  return operationName && request.query.includes(operationName) ? { ...request, operationName } : request;
}

async function fetcher(request, options) {
  let headers;
  try {
    headers = await credentials(options?.headers ?? {});
  } catch (reason) {
    return { errors: [{ message: reason.message }] };
  }
  const response = await fetch(endpoint, {
    method: "POST",
    credentials: "same-origin",
    headers: {
      ...headers,
      "Content-Type": "application/json",
      "Accept": "application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.8",
    },
    body: JSON.stringify(named(request)),
  });
  if (response.headers.get("Content-Type").startsWith("text/event-stream")) return results(response.body);
  const content = await response.json();
  offerConfirmation(content.extensions?.confirmUrl);
  return content;
}

function showDocumentation() {
  root.querySelector("[aria-label='Show Documentation Explorer']")?.click();
}

// Part of GraphiQL, so that the menu can open operations in its tabs: in the one that is open already, or in a new one.
let editor;
let opening = null;
function Bridge() {
  editor = useEditorContext({ nonNull: true });
  React.useEffect(() => {
    if (!opening) return;
    editor.queryEditor.setValue(opening.query);
    editor.variableEditor.setValue(opening.variables);
    opening = null;
  }, [editor.activeTabIndex]);
  React.useEffect(() => {
    // After the effects of GraphiQL's own parts, which close it.
    if (matchMedia("(min-width: 1200px)").matches) setTimeout(showDocumentation);
  }, []);
  return null;
}

menu.addEventListener("change", () => {
  const wanted = operations[menu.value];
  const at = editor.tabs.findIndex((tab) => tab.operationName === menu.value);
  menu.value = "";
  if (at >= 0) {
    editor.changeTab(at);
  } else {
    opening = wanted;
    editor.addTab();
  }
});

managementKey.addEventListener("input", () => {
  caller.textContent = managementKey.value.trim() ? "Using the management key" : `Signed in as ${name}`;
});
addEventListener("pagehide", () => { managementKey.value = ""; });

// GraphiQL's editors have no labels, and its tabs contain buttons, which tabs cannot: they become a list of buttons.
const LABELS = {
  ".graphiql-query-editor textarea": "Operation",
  ".graphiql-editor-tool > :nth-child(1) textarea": "Variables",
  ".graphiql-editor-tool > :nth-child(2) textarea": "Headers",
  ".result-window textarea": "Response",
};

function set(node, attribute, value) {
  if (value === null && node.hasAttribute(attribute)) node.removeAttribute(attribute);
  else if (value !== null && node.getAttribute(attribute) !== value) node.setAttribute(attribute, value);
}

function repair() {
  for (const [selector, label] of Object.entries(LABELS)) {
    for (const area of root.querySelectorAll(selector)) set(area, "aria-label", label);
  }
  // Scrolled by the arrow keys.
  for (const area of root.querySelectorAll(".CodeMirror-scroll")) set(area, "tabindex", "0");
  for (const list of root.querySelectorAll(".graphiql-tabs")) set(list, "role", "list");
  for (const tab of root.querySelectorAll(".graphiql-tab")) {
    const isActive = tab.classList.contains("graphiql-tab-active");
    set(tab, "role", "listitem");
    set(tab, "aria-selected", null);
    const [title, close] = tab.querySelectorAll("button");
    if (title) set(title, "aria-current", isActive ? "true" : null);
    if (close) set(close, "aria-label", `Close ${title.title}`);
  }
}

new MutationObserver(repair).observe(root, {
  childList: true,
  subtree: true,
  attributes: true,
  attributeFilter: ["aria-selected", "class", "role"],
});

ReactDOM.createRoot(root).render(
  element(
    GraphiQL,
    {
      fetcher,
      storage: new MemoryStorage(),
      defaultTabs: first.map((each) => operations[each]),
      shouldPersistHeaders: false,
      forcedTheme: "system",
    },
    element(GraphiQL.Toolbar, null, ({ prettify, copy, merge }) => element(React.Fragment, null, prettify, merge, copy, element(Bridge))),
  ),
);
