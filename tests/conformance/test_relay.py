"""The Relay compiler accepts the published schema, with pagination, refetching and a mutation."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

COMPILE_SECONDS = 120
# As a Relay application writes them: a list that grows, an object that is read again by its id, and a change.
SOURCE = """
import { graphql } from "relay-runtime";

export const page = graphql`
  query KeysQuery($workspace: String) {
    workspace(slug: $workspace) { ...Keys_workspace }
  }
`;
export const keys = graphql`
  fragment Keys_workspace on Workspace
  @refetchable(queryName: "KeysPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    apiKeys(first: $count, after: $cursor) @connection(key: "Keys_apiKeys") {
      edges { node { id ...Keys_key } }
    }
  }
`;
export const key = graphql`
  fragment Keys_key on ApiKey @refetchable(queryName: "KeyRefetchQuery") {
    name
    prefix
    requests(first: 5) { nodes { id outcome explanation { cause fix } } }
    alerts(first: 5) { nodes { id kind state } }
  }
`;
export const revoke = graphql`
  mutation KeysRevokeMutation($input: RevokeApiKeyInput!) {
    revokeApiKey(input: $input) {
      __typename
      ... on RevokeApiKeyPayload { apiKey { id ...Keys_key } }
      ... on Problem { code message }
    }
  }
`;
"""


@pytest.mark.slow
def test_the_relay_compiler_accepts_the_schema_and_a_query_with_pagination(node_programs: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "graphql" / "schema.graphql", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Keys.js").write_text(SOURCE)
    config = {"src": "./src", "schema": "./schema.graphql", "language": "javascript", "eagerEsModules": True}
    (tmp_path / "relay.config.json").write_text(json.dumps(config))
    compiler = node_programs / "node_modules" / "relay-compiler" / "cli.js"
    done = subprocess.run(
        ["node", compiler, "relay.config.json"], cwd=tmp_path, capture_output=True, text=True, timeout=COMPILE_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (tmp_path / "src" / "__generated__").iterdir()}
    assert {"KeysQuery.graphql.js", "KeysPaginationQuery.graphql.js", "KeyRefetchQuery.graphql.js"} <= made
