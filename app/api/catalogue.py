"""The catalogue's permissions, environments and plans. The same for all callers."""

from __future__ import annotations

import strawberry

from app import catalogue
from app.api.framework.authorization import ANYONE
from app.api.framework.decorators import field, object_type


@object_type("Something a key can be allowed to do. Its name is what inputs take.", requires=ANYONE)
class Permission:
    name: str
    description: str
    in_catalogue: bool = strawberry.field(description="False for one that is no longer offered and that older keys still hold.")

    @classmethod
    def of(cls, permission: catalogue.Permission) -> Permission:
        return cls(name=permission.name, description=permission.description, in_catalogue=permission.in_catalogue)

    @classmethod
    def named(cls, name: str) -> Permission:
        return cls.of(catalogue.current().permission(name))


@object_type("Where a key runs. Its name is what inputs take.", requires=ANYONE)
class Environment:
    name: str
    title: str
    prefix: str = strawberry.field(description="The word in the middle of the key's prefix, `live` or `test`.")
    rotate_every_days: int | None = strawberry.field(description="Null: no schedule.")
    must_expire: bool = strawberry.field(description="Whether a key here needs `expiresAt`.")
    max_lifetime_days: int | None = strawberry.field(description="Null: as long as you like.")
    in_catalogue: bool = strawberry.field(description="False for one that is no longer offered and that older keys still hold.")

    @classmethod
    def of(cls, environment: catalogue.Environment) -> Environment:
        return cls(
            name=environment.name,
            title=environment.title,
            prefix=environment.prefix,
            rotate_every_days=environment.rotate_every_days,
            must_expire=environment.must_expire,
            max_lifetime_days=environment.max_lifetime_days,
            in_catalogue=environment.in_catalogue,
        )


@object_type("Its name is what inputs take.", requires=ANYONE)
class Plan:
    name: str
    title: str
    api_key_limit: int | None = strawberry.field(description="Null: unlimited.")
    upgrade_url: str | None
    self_service: bool = strawberry.field(description="Whether an owner may go up to it here.")

    @classmethod
    def of(cls, plan: catalogue.Plan) -> Plan:
        return cls(
            name=plan.name,
            title=plan.title,
            api_key_limit=plan.max_api_keys,
            upgrade_url=plan.upgrade_url,
            self_service=plan.self_service,
        )


@strawberry.type
class CatalogueQuery:
    @field("What keys can be allowed to do, in the catalogue's order.", requires=ANYONE)
    def permissions(self) -> list[Permission]:
        return [Permission.of(permission) for permission in catalogue.current().permissions.values()]

    @field("The plans, small to large.", requires=ANYONE)
    def plans(self) -> list[Plan]:
        return [Plan.of(plan) for plan in catalogue.current().plans.values()]

    @field("Where keys can run, in the catalogue's order.", requires=ANYONE)
    def environments(self) -> list[Environment]:
        return [Environment.of(environment) for environment in catalogue.current().environments.values()]
