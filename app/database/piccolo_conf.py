"""Where Piccolo looks for the engine and the tables. Imported by Piccolo only."""

from typing import Any

from piccolo.conf.apps import AppRegistry

from app.database import engine

APP_REGISTRY = AppRegistry(apps=["app.piccolo_app"])


def __getattr__(name: str) -> Any:
    """`DB` is the engine of the open runtime, which may be another one each time."""
    if name == "DB":
        return engine()
    raise AttributeError(name)
