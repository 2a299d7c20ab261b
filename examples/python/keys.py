"""Lists, creates and rotates API keys over GraphQL, with gql (`pip install "gql[httpx]"`).

    python keys.py list
    python keys.py create "Report runner" pdf.read --environment staging --secret-to report-runner.key
    python keys.py rotate key_7npnngqllqicraxfqg4m --deploy "vault kv put secret/pdf-api key=-"

KEYDESK_SERVER is where Keydesk is, KEYDESK_MANAGEMENT_KEY a management key with the scope keys.write. The operations are the files
of graphql/operations, which you can copy along. A secret goes to a new file or to the command's stdin, and nowhere else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportServerError
from gql.transport.httpx import HTTPXTransport

OPERATIONS = Path(__file__).resolve().parent.parent.parent / "graphql" / "operations"
TRIES = 3
Json = dict[str, Any]


def main() -> None:
    given = _arguments()
    key = os.environ["KEYDESK_MANAGEMENT_KEY"]
    transport = HTTPXTransport(f"{os.environ['KEYDESK_SERVER']}/graphql", headers={"authorization": f"Bearer {key}"})
    with Client(transport=transport) as session:
        keydesk = Keydesk(session)
        match given.command:
            case "list":
                list_keys(keydesk)
            case "create":
                create(keydesk, given)
            case _:
                rotate(keydesk, given)


class Keydesk:
    """Runs published operations."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, operation: str, **variables: Any) -> Any:
        """The operation's one root field. Without an answer it is sent again: everything here may be repeated."""
        request = GraphQLRequest((OPERATIONS / f"{operation}.graphql").read_text(), variable_values=variables)
        for _ in range(TRIES - 1):
            try:
                return self._once(request)
            except (TransportConnectionFailed, TransportServerError) as error:
                if getattr(error, "code", 503) < 500:
                    raise
            time.sleep(1)
        return self._once(request)

    def _once(self, request: GraphQLRequest) -> Any:
        (found,) = self._session.execute(request).values()
        return found

    def change(self, operation: str, **given: Any) -> Json:
        """A mutation's payload; exits with the message of a problem that it met."""
        answer: Json = self.run(operation, input=given)
        if "message" in answer:
            faults = [f"{fault['field']}: {fault['message']}" for fault in answer.get("fields", ())]
            sys.exit("\n".join(faults) or f"{answer['code']}: {answer['message']}")
        return answer


def list_keys(keydesk: Keydesk) -> None:
    """All keys, page by page."""
    after, more = None, True
    while more:
        page = keydesk.run("keys/list", first=100, after=after)["apiKeys"]
        for key in page["nodes"]:
            print(key["id"], key["prefix"] + "…", key["status"], key["environment"]["name"], key["name"], sep="\t")
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]


def create(keydesk: Keydesk, given: argparse.Namespace) -> None:
    """Repeated with the same --once, it makes no second key."""
    # Created first: a key whose secret cannot be stored is of no use.
    given.secret_to.touch(mode=0o600, exist_ok=False)
    with contextlib.ExitStack() as failed:
        failed.callback(given.secret_to.unlink)
        asked = {"name": given.name, "environment": given.environment, "permissions": given.permissions}
        made = keydesk.change("keys/create", **asked, idempotencyKey=given.once)
        if made["secret"] is None and given.replace_unused:
            made = keydesk.change("keys/replace-unused", id=made["apiKey"]["id"])
        if made["secret"] is None:
            sys.exit(f"{made['apiKey']['id']} was created before; only the first answer had its secret.")
        given.secret_to.write_text(made["secret"])
        failed.pop_all()
    print(made["apiKey"]["id"])


def rotate(keydesk: Keydesk, given: argparse.Namespace) -> None:
    """Interrupted and run again, it continues the same rotation. The old key is revoked when nobody uses it anymore."""
    until = time.monotonic() + given.wait
    started = start(keydesk, given)
    run = started["rotation"]
    if started["secret"] is not None and subprocess.run(given.deploy, shell=True, input=started["secret"], text=True).returncode:
        keydesk.change("rotations/cancel", id=run["id"])
        sys.exit(f"The command failed: {run['id']} is cancelled, and the old key works as before.")
    while run["state"] not in ("READY", "COMPLETED", "CANCELLED"):
        if time.monotonic() > until:
            waiting = ", ".join(f"{each['userAgent']} ({each['network']})" for each in run["callers"] if not each["moved"])
            sys.exit(f"{run['id']} is {run['state']}, and both keys work. Not seen with the new key: {waiting or 'anyone'}.")
        time.sleep(given.poll)
        run = keydesk.run("rotations/show", id=run["id"])
    if run["state"] == "READY":
        run = keydesk.change("rotations/complete", id=run["id"])["rotation"]
    print(run["id"], run["state"], run["successor"]["id"], sep="\t")


def start(keydesk: Keydesk, given: argparse.Namespace) -> Json:
    """The new key's secret is null if it was used already. If it was lost, the same request soon replaces the unused key."""
    once = f"rotate {given.key}"
    while True:
        answer = keydesk.change("rotations/start", id=given.key, quietPeriodSeconds=given.quiet, idempotencyKey=once)
        if answer["retryAfter"] is not None:
            time.sleep(answer["retryAfter"])
        elif answer["rotation"]["state"] == "CANCELLED":
            once = f"rotate {given.key} after {answer['rotation']['id']}"
        else:
            return answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Lists, creates and rotates API keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="id, prefix, status, environment and name of all keys")
    making = commands.add_parser("create", help="create a key and print its id")
    making.add_argument("name")
    making.add_argument("permissions", nargs="+")
    making.add_argument("--environment", default="production")
    making.add_argument("--secret-to", type=Path, required=True, help="a file that does not exist yet")
    making.add_argument("--once", default=str(uuid.uuid4()), help="the same text in every repetition, such as the id of a CI job")
    making.add_argument(
        "--replace-unused", action="store_true", help="the secret of the first answer is lost: replace an unused key"
    )
    rotating = commands.add_parser("rotate", help="replace a key without an outage")
    rotating.add_argument("key", help="its id")
    rotating.add_argument("--deploy", required=True, help="a shell command that gets the new secret on its stdin")
    rotating.add_argument("--quiet", type=int, default=3_600, help="how many seconds the old key must have been silent")
    rotating.add_argument("--wait", type=int, default=7_200, help="how many seconds this may take")
    rotating.add_argument("--poll", type=float, default=5.0, help="how many seconds between looks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
