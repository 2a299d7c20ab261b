"""The operator's command line, for anyone who can run it on the machine. `docs/cli.md` describes every command.

A command parses its arguments, calls one use case and prints the result; `runner.py` contains what all commands share.
"""

from __future__ import annotations

from typing import Final

from app.cli.runner import CommandGroup

# Each command with the module that declares it, and its name there, in the order of `keydesk --help`.
_COMMANDS: Final = {
    "serve": ("server", "serve"),
    "migrate": ("database", "migrate"),
    "demo": ("demo", "demo"),
    "doctor": ("doctor", "doctor"),
    "create-owner": ("users", "create_owner"),
    "password-reset": ("users", "password_reset"),
    "workspaces": ("workspaces", "list_all"),
    "provision-workspace": ("workspaces", "provision"),
    "set-plan": ("workspaces", "set_plan"),
    "suspend-workspace": ("workspaces", "suspend"),
    "resume-workspace": ("workspaces", "resume"),
    "transfer-workspace": ("workspaces", "transfer"),
    "delete-workspace": ("workspaces", "delete"),
    "gateway-token": ("gateway_tokens", "gateway_token"),
    "management-key": ("management_keys", "management_key"),
    "operator-key": ("operator_keys", "operator_key"),
    "rotate": ("rotate", "rotate"),
    "scan": ("scan", "scan"),
    "pattern": ("pattern", "pattern"),
    "find": ("leaked_keys", "find"),
    "revoke": ("leaked_keys", "revoke"),
    "usage": ("usage", "usage"),
    "audit": ("audit", "audit_group"),
    "backup": ("backups", "backup"),
    "restore": ("backups", "restore"),
    "import": ("import_keys", "import_keys"),
    "export": ("export", "export"),
    "database": ("backups", "database_group"),
    "schema": ("graphql_schema", "schema"),
    "openapi": ("openapi", "openapi"),
}


main = CommandGroup(
    name="keydesk",
    help="The front desk of an API: its keys, made, verified, counted and revoked.\n\n"
    "Settings are KEYDESK_* variables (docs/settings.md). Secrets are read from stdin or asked for, never from the command line.",
    context_settings={"max_content_width": 100},
    on_demand={name: (f"app.cli.{module}", attribute) for name, (module, attribute) in _COMMANDS.items()},
)
