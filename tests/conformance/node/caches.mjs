// Runs operations with Apollo Client and with urql's Graphcache against the server of the first argument, with the bearer token in
// KEYDESK_MANAGEMENT_KEY. Reads from stdin { configuration, operations: [{ name, text, variables }] }, where the configuration is
// the JavaScript of docs/graphql.md. Prints for each client what it warned about, and for each operation its errors, the answer of
// the server and what the cache alone answers afterwards.
import { readFileSync } from "node:fs";
import { ApolloClient, gql as parsed, HttpLink, InMemoryCache } from "@apollo/client";
import { loadDevMessages, loadErrorMessages } from "@apollo/client/dev";
import { Client, fetchExchange, gql } from "@urql/core";
import { getIntrospectionQuery } from "graphql";
import { cacheExchange } from "@urql/exchange-graphcache";

const url = process.argv[2];
const headers = { authorization: `Bearer ${process.env.KEYDESK_MANAGEMENT_KEY}` };
const { configuration, operations } = JSON.parse(readFileSync(0, "utf8"));
const introspected = await fetch(url, {
  method: "POST",
  headers: { ...headers, "content-type": "application/json" },
  body: JSON.stringify({ query: getIntrospectionQuery() }),
});
const { data: introspection } = await introspected.json();
const { keys, typePolicies, possibleTypes } = new Function(
  "introspection",
  `${configuration}; return { keys, typePolicies, possibleTypes };`,
)(introspection);
loadDevMessages();
loadErrorMessages();

const warnings = [];
console.warn = console.error = (...words) => warnings.push(words.map(String).join(" ").slice(0, 600));

const apollo = new ApolloClient({
  link: new HttpLink({ uri: url, headers }),
  cache: new InMemoryCache({ typePolicies, possibleTypes }),
});
const urql = new Client({
  url,
  fetchOptions: { headers },
  preferGetMethod: false,
  exchanges: [cacheExchange({ keys, schema: introspection }), fetchExchange],
});

const clients = {
  async apollo({ text, variables }, cached) {
    const document = parsed(text);
    if (document.definitions.some((each) => each.operation === "mutation")) {
      return cached ? null : (await apollo.mutate({ mutation: document, variables })).data;
    }
    return (await apollo.query({ query: document, variables, fetchPolicy: cached ? "cache-only" : "network-only" })).data;
  },
  async urql({ text, variables }, cached) {
    const document = gql(text);
    const isMutation = document.definitions.some((each) => each.operation === "mutation");
    if (isMutation && cached) return null;
    const requestPolicy = cached ? "cache-only" : "network-only";
    const asked = isMutation ? urql.mutation(document, variables) : urql.query(document, variables, { requestPolicy });
    const { data, error } = await asked.toPromise();
    if (error) throw error;
    return data;
  },
};

const found = {};
for (const [name, run] of Object.entries(clients)) {
  const results = [];
  for (const { cachedOnly, ...written } of operations) {
    const operation = JSON.parse(JSON.stringify(written).replaceAll("CLIENT", name));
    try {
      const answer = cachedOnly ? null : await run(operation, false);
      results.push({ name: operation.name, answer, cached: await run(operation, true) });
    } catch (error) {
      results.push({ name: operation.name, error: String(error) });
    }
  }
  found[name] = { warnings: warnings.splice(0), results };
}
process.stdout.write(JSON.stringify(found));
