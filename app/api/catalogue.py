"""What the catalogue offers: permissions, environments, plans. The same for everybody."""

from __future__ import annotations

import strawberry

from app import catalogue
from app.api.resolving import field


@strawberry.type(description="Something a key can be allowed to do. Its name is what inputs take.")
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


@strawberry.type(description="Where a key runs. Its name is what inputs take.")
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


@strawberry.type(description="Its name is what inputs take.")
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
    @field("What keys can be allowed to do, in the catalogue's order.")
    def permissions(self) -> list[Permission]:
        return [Permission.of(permission) for permission in catalogue.current().permissions.values()]

    @field("The plans, small to large.")
    def plans(self) -> list[Plan]:
        return [Plan.of(plan) for plan in catalogue.current().plans.values()]

    @field("Where keys can run, in the catalogue's order.")
    def environments(self) -> list[Environment]:
        return [Environment.of(environment) for environment in catalogue.current().environments.values()]
