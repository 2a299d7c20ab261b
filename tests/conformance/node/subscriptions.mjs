// Subscribes with graphql-ws, graphql-sse, Apollo Client and urql at the server of the first argument, with the bearer token in
// KEYDESK_MANAGEMENT_KEY. Reads from stdin { text, variables, change: { query, variables } }: what to subscribe to, and what to send
// once each client has its first event. Prints for each client the data of its first two events.
import { readFileSync } from "node:fs";
import { ApolloClient, gql as parsed, InMemoryCache } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange, gql } from "@urql/core";
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const url = process.argv[2];
const authorization = `Bearer ${process.env.KEYDESK_MANAGEMENT_KEY}`;
const { text, variables, change } = JSON.parse(readFileSync(0, "utf8"));

const ws = () =>
  createWsClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams: { authorization }, retryAttempts: 0 });
const sse = createSseClient({ url, headers: { authorization }, retryAttempts: 0 });
const apollo = new ApolloClient({ link: new GraphQLWsLink(ws()), cache: new InMemoryCache() });
const urql = new Client({
  url,
  fetchOptions: { headers: { authorization } },
  fetchSubscriptions: true,
  preferGetMethod: false,
  exchanges: [fetchExchange],
});

const plain = (client) => (next, error) =>
  client.subscribe({ query: text, variables }, { next, error, complete: () => error(new Error("completed")) });
const clients = {
  "graphql-ws": plain(ws()),
  "graphql-sse": plain(sse),
  apollo: (next, error) => apollo.subscribe({ query: parsed(text), variables }).subscribe({ next, error }),
  urql: (next) => urql.subscription(gql(text), variables).subscribe(next),
};

const found = {};
const first = [];
const second = [];
for (const [name, subscribe] of Object.entries(clients)) {
  found[name] = [];
  let begun;
  let ended;
  first.push(new Promise((resolve) => (begun = resolve)));
  second.push(new Promise((resolve) => (ended = resolve)));
  const failed = (reason) => (found[name].push({ error: String(reason?.message ?? reason?.reason ?? reason) }), begun(), ended());
  subscribe((result) => {
    if (result.error || result.errors) return failed(result.error ?? result.errors[0]);
    found[name].push(result.data);
    (found[name].length === 1 ? begun : ended)();
  }, failed);
}
await Promise.all(first);
await fetch(url, {
  method: "POST",
  headers: { authorization, "content-type": "application/json" },
  body: JSON.stringify(change),
});
await Promise.all(second);
console.log(JSON.stringify(found));
process.exit(0);
