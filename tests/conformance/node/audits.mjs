// Runs the audits of GraphQL over HTTP against the server of the first argument, with the bearer token in KEYDESK_MANAGEMENT_KEY.
// Prints a JSON list of [id, name, status, reason].
import { auditServer } from "graphql-http";

const authorization = `Bearer ${process.env.KEYDESK_MANAGEMENT_KEY}`;
const withKey = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, authorization } });
const results = await auditServer({ url: process.argv[2], fetchFn: withKey });
console.log(JSON.stringify(results.map((each) => [each.id, each.name, each.status, each.reason ?? ""])));
