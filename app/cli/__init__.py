"""The operator's command line, for whoever can run it on the machine. `docs/cli.md` describes every command.

A command parses, calls one use case and says what it answered; `frame.py` does what all of them share.
"""

from __future__ import annotations

from app.cli import accounts, audit, backups, database, demo, doctor, gateways, leaks, management, rotate, server, workspaces
from app.cli.frame import Desk

main = Desk(
    name="keydesk",
    help="The front desk of an API: its keys, made, verified, counted and revoked.\n\n"
    "Settings are KEYDESK_* variables (docs/settings.md). Secrets are read from stdin or asked for, never from the command line.",
    context_settings={"max_content_width": 100},
    commands=[
        server.serve,
        database.migrate,
        demo.demo,
        doctor.doctor,
        accounts.create_owner,
        accounts.password_reset,
        workspaces.set_plan,
        workspaces.suspend,
        workspaces.resume,
        gateways.gateway_token,
        management.management_key,
        rotate.rotate,
        leaks.find,
        leaks.revoke,
        audit.audit_group,
        backups.backup,
        backups.restore,
        database.schema,
    ],
)
