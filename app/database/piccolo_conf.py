"""Where Piccolo looks for the engine and the tables. Imported by Piccolo only."""

from typing import Any

from app.database import engine


def __getattr__(name: str) -> Any:
    """`DB` is the engine of the open runtime, which may differ from call to call; `APP_REGISTRY` is for migrations and backups."""
    if name == "DB":
        return engine()
    if name == "APP_REGISTRY":
        # Imported here, because it imports a formatter of source code: a tenth of a second and 8 MB, which no start needs to spend.
        from piccolo.conf.apps import AppRegistry

        return AppRegistry(apps=["app.piccolo_app"])
    raise AttributeError(name)
