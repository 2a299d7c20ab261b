"""Creates, lists and revokes gateway tokens; for the operator only."""

from __future__ import annotations

from dataclasses import replace

from app import catalogue, ids
from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.audit import service as audit
from app.errors import Conflict, FieldProblem, NotFound, ValidationFailed
from app.gateway_tokens import events, store
from app.gateway_tokens.gateway_token import GATEWAY_TOKEN_ID, CreatedGatewayToken, GatewayToken
from app.keys.secret import KeyClass, generate, prefix_of
from app.keys.validation import name_fault
from app.names import plain_name
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store

_WHAT = "gateway token"


async def create(actor: Actor, name: str, *, workspace: str | None = None, environment: str | None = None) -> CreatedGatewayToken:
    """A token for all workspaces, or bound to the one of this slug, and to an environment. Raises ValidationFailed."""
    policy.require_operator(actor, OperatorAction.MANAGE_GATEWAY_TOKENS)
    if fault := name_fault(name):
        raise ValidationFailed(fault)
    if environment is not None and environment not in catalogue.current().environments:
        raise ValidationFailed(FieldProblem("environment", "UNKNOWN", f"There is no environment {environment!r}."))
    async with tenancy.changing_installation(actor) as change:
        bound = await _workspace_id(workspace)
        pepper = peppers.current().current
        secret = generate(catalogue.current().key_prefix, KeyClass.GATEWAY)
        token = GatewayToken(ids.new(GATEWAY_TOKEN_ID), plain_name(name), prefix_of(secret), bound, environment, change.now, None)
        await store.add(token, pepper.digest(secret), pepper.version)
        await audit.record(change, events.CREATED, token.id, name=token.name, workspace=bound, environment=environment)
    return CreatedGatewayToken(token, secret)


async def tokens(actor: Actor) -> list[GatewayToken]:
    """All of them, newest first."""
    policy.require_operator(actor, OperatorAction.MANAGE_GATEWAY_TOKENS)
    return await store.tokens()


async def find_by_secret(actor: Actor, secret: str) -> GatewayToken | None:
    """The token of this secret, living or revoked."""
    policy.require_operator(actor, OperatorAction.MANAGE_GATEWAY_TOKENS)
    return await store.find_by_digests(peppers.current().digests(secret))


async def revoke(actor: Actor, id_or_name: str) -> GatewayToken:
    """Revokes a token from the next request on. Raises NotFound, or Conflict for a name that several living tokens share."""
    policy.require_operator(actor, OperatorAction.MANAGE_GATEWAY_TOKENS)
    async with tenancy.changing_installation(actor) as change:
        found = await store.find(plain_name(id_or_name)) or await store.find(id_or_name)
        if not found:
            raise NotFound(_WHAT)
        if len(found) > 1:
            raise Conflict(f"Several tokens are called {id_or_name!r}; name one by its id: {', '.join(t.id for t in found)}.")
        token = found[0]
        if token.revoked_at is None:
            await store.revoke(token.id, change.now)
            await audit.record(change, events.REVOKED, token.id, name=token.name)
            token = replace(token, revoked_at=change.now)
    return token


async def _workspace_id(slug: str | None) -> str | None:
    if slug is None:
        return None
    found = await workspace_store.find_by_slug(slug)
    if found is None:
        raise ValidationFailed(FieldProblem("workspace", "UNKNOWN", f"There is no workspace {slug!r}."))
    return found.id
