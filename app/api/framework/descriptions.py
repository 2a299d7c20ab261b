"""Descriptions for the parts of the schema whose definition has none, so that every name has one.

Generated types are described by rule, the rest by coordinate, `Type`, `Type.member` or `Type.field(argument)`. A description at
the definition wins. A name without any description fails the tests of the published schema.
"""

from __future__ import annotations

from typing import Any, Final

from graphql import GraphQLSchema, is_introspection_type, is_specified_scalar_type

from app.api.framework import alert_descriptions, codes

# Members that mean the same in all types.
_MEMBERS: Final = {
    "code": "Stable, for programs.",
    "message": "For people; its words may change.",
    "edges": "The things of this page with their cursors.",
    "pageInfo": "Where this page is in the list.",
    "createdAt": "When it was made.",
    "revokedAt": "Since when it is revoked; null: it is not.",
    "days": "The days of the week.",
    "total": "Requests, successful and failed.",
    "successful": "Requests that were accepted, or were reported as successful.",
    "failed": "Requests that were denied, or were reported as failed.",
}
_ARGUMENTS: Final = {
    "input": "What is to be done.",
    "after": "Only what comes after this cursor of the same list.",
    "before": "Only what comes before this cursor of the same list.",
    "since": "Where the span begins, included; left out: 30 days before its end.",
    "until": "Where the span ends, not included; left out: now.",
    "granularity": "How long the steps of the span are.",
}
_PAYLOADS: Final = {
    "apiKey": "The key as it is now.",
    "rotation": "The run as it is now.",
    "workspace": "The workspace as it is now.",
    "invitation": "The invitation that was made or withdrawn.",
    "member": "The member with the new role.",
    "managementKey": "The management key as it is now.",
    "webhook": "The webhook as it is now.",
}
DESCRIPTIONS: Final = {
    **codes.DESCRIPTIONS,
    **alert_descriptions.DESCRIPTIONS,
    "Query.workspace(slug)": "Its name in addresses; left out: the caller's only workspace.",
    "Query.node(id)": "Any id that this API has given.",
    "Viewer.kind": "A person or a program.",
    "Query.workspaces(filter)": "Which ones; left out: all.",
    "ViewerKind": "Who can ask.",
    "ViewerKind.USER": "A person with a session.",
    "ViewerKind.OPERATOR_KEY": "A program of the operator, with an operator key.",
    "ViewerKind.MANAGEMENT_KEY": "A program with a management key.",
    "User": "A person with an account, as it is now.",
    "User.id": "The same string everywhere, `usr_…`.",
    "User.name": "The present name.",
    "User.email": "The present address.",
    "ManagementKey.name": "What its maker called it.",
    "ManagementKey.status": "Whether it is still accepted.",
    "ManagementKey.scopes": "What it was made for; its maker's present role may leave less.",
    "ManagementKey.expiresAt": "From this instant on it is EXPIRED.",
    "ManagementKey.lastUsedAt": "When it was last presented and good; null: never.",
    "ManagementKeyStatus": "Whether a management key is accepted. EXPIRED and REVOKED are final.",
    "ManagementKeyStatus.ACTIVE": "It is accepted.",
    "ManagementKeyStatus.EXPIRED": "Its time is over.",
    "ManagementKeyStatus.REVOKED": "Someone ended it.",
    "Workspace.name": "For people.",
    "Workspace.timezone": "In which its business hours are meant.",
    "BusinessHours.opens": "When they begin.",
    "BusinessHours.closes": "When they end.",
    "BusinessHoursInput.opens": "When they begin.",
    "Workspace.plan": "What decides how many keys it may have.",
    "Workspace.businessHours": "When its people are at work; null: not said.",
    "Workspace.apiKeyLimit": "How many keys the plan allows, and how many count.",
    "Workspace.apiKeys": "Its API keys, also those that are over.",
    "Workspace.apiKeys(filter)": "Only keys that meet it; left out: all.",
    "Workspace.auditEvents(filter)": "Only events that meet it; left out: all.",
    "Role.VIEWER": "Reads everything but management keys.",
    "Role.EDITOR": "And makes, changes, rotates and revokes API keys.",
    "Role.OWNER": "And everything else.",
    "Plan.name": "For programs, `growth`; what inputs take.",
    "Plan.title": "For people.",
    "Plan.upgradeUrl": "Where a person can get it; null: nowhere here.",
    "Weekday": "A day of the week.",
    **{f"Weekday.{day.upper()}": f"{day}." for day in ("Monday", "Tuesday", "Wednesday", "Thursday")},
    **{f"Weekday.{day.upper()}": f"{day}." for day in ("Friday", "Saturday", "Sunday")},
    "Usage.totalRequests": "All requests of the span: those that were successful and those that failed.",
    "Usage.successfulRequests": "Requests that were accepted, or were reported as successful.",
    "Usage.byPermission": "The span by the permission that was asked for.",
    "Usage.byOutcome": "The span by what became of the requests.",
    "CallerUsage.firstSeenAt": "When it was first seen.",
    "CallerUsage.lastSeenAt": "When it was last seen.",
    "UsageTotals.totalRequests": "All requests: those that were successful and those that failed.",
    "UsageTotals.successfulRequests": "Requests that were accepted, or were reported as successful.",
    "UsageTotals.failedRequests": "Requests that were denied, or were reported as failed.",
    "UsagePoint": "The requests of one hour or day.",
    "PermissionUsage": "The requests for one permission.",
    "OutcomeUsage": "The requests that came to the same end.",
    "OutcomeUsage.outcome": "What became of them.",
    "OutcomeUsage.total": "Requests with this outcome.",
    "UsageGranularity.HOUR": "Whole hours.",
    "UsageGranularity.DAY": "Whole days, in UTC.",
    "ApiKey.name": "What people call it; not unique.",
    "Label.name": "1 to 63 characters, `team`.",
    "Label.value": "At most 100 characters, `payments`; empty for a tag.",
    "LabelInput": "A label of a key.",
    "ApiKeyPreview.labels": "The labels it would have, sorted by name.",
    "ApiKeyOwner.userId": "The id of the user.",
    "ApiKeyOwner.name": "The name of the user.",
    "ApiKey.environment": "Where it runs; never changes.",
    "ApiKey.status": "Whether it is accepted now.",
    "ApiKey.permissions": "What it is allowed to do.",
    "ApiKey.createdBy": "Who made it.",
    "ApiKey.suspendedAt": "Since when it is suspended; null: it is not.",
    "ApiKey.lastUsedIp": "From where it was last used; null: never used, or not known.",
    "ApiKey.rotationDue": "Where it is in its environment's schedule.",
    "ApiKey.revokedBy": "Who revoked it; null: it is not revoked.",
    "ApiKey.revocationReason": "Why it was revoked; null: it is not revoked.",
    "ApiKey.revocationNote": "What was noted with the reason.",
    "ApiKey.unusedPermissions(days)": "How far to look back.",
    "Environment.name": "For programs, `production`; what inputs take.",
    "Environment.title": "For people.",
    "ApiKeyStatus.ACTIVE": "Its requests are accepted, where it may be used and for what it may do.",
    "ApiKeyStatus.SUSPENDED": "Its requests are refused until someone resumes it.",
    "ApiKeyStatus.EXPIRED": "It has expired, which is final.",
    "ApiKeyStatus.REVOKED": "It was revoked, which is final.",
    "Permission.name": "For programs, `pdf.read`; what inputs take.",
    "Permission.description": "A sentence for people.",
    "Actor.kind": "What kind of actor it was.",
    "ActorKind": "What kinds of actors change things.",
    "ActorKind.USER": "A person.",
    "ActorKind.MANAGEMENT_KEY": "A program with a management key.",
    "ActorKind.OPERATOR_KEY": "A program of the operator, with an operator key.",
    "ActorKind.OPERATOR": "The operator of this Keydesk, on the command line.",
    "ActorKind.SYSTEM": "Keydesk itself, at a deadline or an expiry.",
    "RotationDue.NOT_DUE": "More than 14 days are left, or there is no schedule.",
    "RotationDue.DUE_SOON": "At most 14 days are left.",
    "RotationDue.OVERDUE": "The day is past.",
    "RevocationReason.COMMITTED_TO_REPOSITORY": "The secret was committed to a repository.",
    "RevocationReason.EXPOSED_IN_LOGS": "The secret was seen in logs.",
    "RevocationReason.MEMBER_LEFT": "Someone who knew the secret has left.",
    "RevocationReason.SHARED_INSECURELY": "The secret was sent where others can read it.",
    "RevocationReason.SUSPICIOUS_ACTIVITY": "Someone else seems to use it.",
    "RevocationReason.ROTATED": "Another key took its place in a rotation.",
    "RevocationReason.NO_LONGER_NEEDED": "Nothing needs it anymore.",
    "RevocationReason.OTHER": "Something else, which the note says.",
    "Rotation.state": "How far it is.",
    "Rotation.predecessor": "The key that is replaced.",
    "Rotation.successor": "The key that replaces it.",
    "Rotation.startedAt": "When it began.",
    "Rotation.startedBy": "Who began it.",
    "Rotation.deadline": "When `onDeadline` happens, if it is still open.",
    "Rotation.deadlinePassed": "Whether it is open beyond its deadline.",
    "Rotation.onDeadline": "What happens at the deadline.",
    "Rotation.quietPeriodSeconds": "How long the predecessor must have been silent before it is READY.",
    "Rotation.endedAt": "When it was completed or cancelled; null: it is open.",
    "RotationState.ISSUED": "The successor was not used yet.",
    "RotationState.IN_USE": "The successor was used.",
    "RotationState.DRAINING": "Some callers have moved to the successor.",
    "RotationState.READY": "All callers have moved or were dismissed, and the predecessor is silent.",
    "RotationState.COMPLETED": "The predecessor is gone.",
    "RotationState.CANCELLED": "The successor is gone.",
    "OnDeadline.REVOKE": "The predecessor is revoked, even if callers still use it.",
    "OnDeadline.KEEP_AND_ALERT": "Both keys stay, both count, and an alert says so.",
    "Caller.firstSeenAt": "When it was first seen using the key.",
    "Caller.lastSeenAt": "When it was last seen using the key.",
    "Caller.requests": "How many requests it has made with the key.",
    "PageInfo": "Where a page is in its list.",
    "PageInfo.hasNextPage": "Whether there is more after this page.",
    "PageInfo.hasPreviousPage": "Whether there is more before this page.",
    "PageInfo.startCursor": "What `before` takes for the previous page; null: the page is empty.",
    "PageInfo.endCursor": "What `after` takes for the next page; null: the page is empty.",
    "RevocationImpact.verdict": "The answer in a word.",
    "RevocationVerdict.QUIET": "Not used for 30 days, or revoked or expired.",
    "RevocationVerdict.IN_USE": "Used within 30 days, but not within the last hour, or suspended since.",
    "RevocationVerdict.BUSY": "Active, and used within the last hour.",
    "ApiKeyOrder": "What a list of keys is sorted by.",
    "ApiKeyOrder.field": "The field that decides.",
    "ApiKeyOrder.direction": "Which end comes first.",
    "ApiKeyOrderField.CREATED_AT": "When they were made.",
    "ApiKeyOrderField.NAME": "By name, case-insensitively.",
    "ApiKeyOrderField.LAST_USED_AT": "When they were last used.",
    "ApiKeyOrderField.EXPIRES_AT": "When they expire.",
    "ApiKeyOrderField.ROTATE_BY": "When their environment's schedule wants them replaced.",
    "OrderDirection": "Which end of a sorted list comes first.",
    "OrderDirection.ASC": "The smallest or earliest first.",
    "OrderDirection.DESC": "The largest or latest first.",
    "Member.user": "Who it is.",
    "Member.role": "What they may do here.",
    "Member.joinedAt": "When they became a member.",
    "Invitation.email": "Who was asked.",
    "Invitation.role": "What they will be allowed to do.",
    "Invitation.invitedAt": "When they were asked.",
    "Invitation.expiresAt": "From this instant on the link opens nothing.",
    "AuditEvent.at": "When it was done.",
    "AuditEvent.actor": "Who did it.",
    "AuditEvent.address": "From which network address; null: not known.",
    "AuditEvent.userAgent": "With which program; null: not known.",
    "AuditEvent.requestId": "The request it was done in; null: none.",
    "PlanLimitReached.plan": "The present plan.",
    "PlanLimitReached.limit": "How many keys it allows.",
    "PlanLimitReached.used": "How many keys count now.",
    "CreateApiKeyInput.name": "What people will call it; at most 100 characters, not unique.",
    "RevokeApiKeysInput.reason": "Why; it is kept with each key and in the audit log.",
    "ApiKeyPreview.name": "The name without invisible characters.",
    "ApiKeyPreview.environment": "Where it would run.",
    "ApiKeyPreview.permissions": "What it would be allowed to do.",
    "ApiKeyPreview.allowedIps": "Addresses and networks that could use it; empty: any.",
    "RevokeApiKeyInput.reason": "Why; it is kept with the key and in the audit log.",
    "RotateApiKeysInput.onDeadline": "What happens at the deadline to each run that is still open.",
    "RotateApiKeyInput.onDeadline": "What happens at the deadline if the run is still open.",
    "DismissCallerInput.rotation": "The id of the run, `rot_…`.",
    "RestoreCallerInput.rotation": "The id of the run, `rot_…`.",
    "VerifyApiKeyPayload.valid": "Whether the request would be let through.",
    "InviteMemberInput.email": "Who is asked.",
    "InviteMemberInput.role": "What they will be allowed to do.",
    "ChangeMemberRoleInput.role": "What they are allowed to do from now on.",
    "RemoveMemberPayload.takenOver": "The management keys that the remover took over.",
    "RemoveMemberPayload.revoked": "The management keys that were revoked.",
    "CreateManagementKeyInput.name": "What people will call it.",
}


def describe(schema: GraphQLSchema) -> None:
    """Adds a description to every part of the schema that has none."""
    for kind in schema.type_map.values():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        kind.description = kind.description or DESCRIPTIONS.get(kind.name) or _of_type(kind.name)
        for name, member in [*getattr(kind, "fields", {}).items(), *getattr(kind, "values", {}).items()]:
            coordinate = f"{kind.name}.{name}"
            member.description = member.description or DESCRIPTIONS.get(coordinate) or _of_member(kind.name, name)
            for argument, given in getattr(member, "args", {}).items():
                given.description = given.description or DESCRIPTIONS.get(f"{coordinate}({argument})") or _ARGUMENTS.get(argument)


def without(schema: GraphQLSchema) -> list[str]:
    """The coordinates that have no description."""
    found: list[tuple[str, Any]] = []
    for kind in schema.type_map.values():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        found.append((kind.name, kind))
        for name, member in [*getattr(kind, "fields", {}).items(), *getattr(kind, "values", {}).items()]:
            found.append((f"{kind.name}.{name}", member))
            found += [(f"{kind.name}.{name}({item})", given) for item, given in getattr(member, "args", {}).items()]
    return [coordinate for coordinate, part in found if not part.description]


def _of_type(name: str) -> str | None:
    """Describes the generated types of mutations and lists."""
    rules = {"Payload": "What `{}` answers.", "Result": "The payload of `{}`, or the problem it met.", "Input": "What `{}` takes."}
    for suffix, text in rules.items():
        if name.endswith(suffix):
            verb = name.removesuffix(suffix)
            return text.format(verb[0].lower() + verb[1:])
    return "A thing of a page, and its place in the list." if name.endswith("Edge") else None


def _of_member(kind: str, name: str) -> str | None:
    if kind.endswith("Payload") and name in _PAYLOADS:
        return _PAYLOADS[name]
    if kind.endswith("Edge"):
        return {"cursor": "Its place, for `after` and `before`.", "node": "The thing itself."}.get(name)
    if kind.endswith("Input") and name == "id":
        return "The id of the thing that is meant."
    return _MEMBERS.get(name)
