"""All tables, for Piccolo's migrations."""

from piccolo.conf.apps import AppConfig

from app.nouns import TABLES
from app.paths import MIGRATIONS

APP_CONFIG = AppConfig(app_name="keydesk", migrations_folder_path=str(MIGRATIONS), table_classes=list(TABLES))
