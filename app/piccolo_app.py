"""All tables, for Piccolo's migrations."""

from piccolo.conf.apps import AppConfig, table_finder

from app.paths import MIGRATIONS

NOUNS = (
    "peppers",
    "tenancy",
    "audit",
    "accounts",
    "keys",
    "usage",
    "management",
    "gateways",
    "rotations",
    "jobs",
    "notices",
    "calendar",
)

APP_CONFIG = AppConfig(
    app_name="keydesk",
    migrations_folder_path=str(MIGRATIONS),
    table_classes=table_finder([f"app.{noun}.tables" for noun in NOUNS]),
)
