"""Where Piccolo looks for the engine and the tables. Imported by Piccolo only, after `database.bind`."""

from piccolo.conf.apps import AppRegistry

from app.database import engine

DB = engine()
APP_REGISTRY = AppRegistry(apps=["app.piccolo_app"])
