"""The other half of the policy: which action each field of the GraphQL schema is. A field without a row is not served.

What a management key may touch is decided here from the parsed document, before anything runs; roles, which depend on the
workspace, are decided by the use cases. None: whoever is signed in.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from app.access import policy
from app.access.actor import Actor, ActorKind
from app.access.policy import Action
from app.errors import NotAllowed

_ROWS: Final[tuple[tuple[Action | None, str, str], ...]] = (
    (None, "Query", "viewer workspace node permissions plans environments"),
    (None, "Viewer", "kind user managementKey workspaces scopes effectiveScopes"),
    (None, "Node", "id"),
    (None, "PageInfo", "hasNextPage hasPreviousPage startCursor endCursor"),
    (None, "Permission", "name description inCatalogue"),
    (None, "Plan", "name title apiKeyLimit upgradeUrl selfService"),
    (None, "Environment", "name title prefix rotateEveryDays mustExpire maxLifetimeDays inCatalogue"),
    (None, "Actor", "kind actorId name"),
    (None, "User", "id name email"),
    (None, "Workspace", "id name slug viewerRole"),
    # As much of it as of `Query.workspace`: its own rows say what of it may be read.
    (None, "ApiKey", "workspace"),
    (None, "Rotation", "workspace"),
    (None, "Caller", "workspace"),
    (Action.READ_WORKSPACE, "Workspace", "plan apiKeyLimit timezone businessHours createdAt updatedAt revision suspendedAt"),
    (Action.READ_WORKSPACE, "ApiKeyLimit", "limit used rotating remaining"),
    (Action.READ_WORKSPACE, "BusinessHours", "days opens closes"),
    (Action.READ_KEYS, "Workspace", "apiKeys"),
    (Action.READ_KEYS, "ApiKeyConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_KEYS, "ApiKeyEdge", "cursor node"),
    (Action.READ_KEYS, "ApiKey", "id name prefix environment status permissions allowedIps createdAt createdBy expiresAt"),
    (Action.READ_KEYS, "ApiKey", "updatedAt revision suspendedAt lastUsedAt lastUsedIp rotateBy rotationDue"),
    (Action.READ_KEYS, "ApiKey", "revokedAt revokedBy revocationReason revocationNote"),
    (Action.READ_USAGE, "Workspace", "usage"),
    (Action.READ_USAGE, "ApiKey", "usage unusedPermissions callers revocationImpact"),
    (Action.READ_USAGE, "Usage", "totalRequests successfulRequests failedRequests lastUsedAt"),
    (Action.READ_USAGE, "Usage", "series byPermission byOutcome"),
    (Action.READ_USAGE, "UsagePoint", "at total successful failed"),
    (Action.READ_USAGE, "PermissionUsage", "permission total successful failed"),
    (Action.READ_USAGE, "OutcomeUsage", "outcome total"),
    (Action.READ_USAGE, "CallerConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_USAGE, "CallerEdge", "cursor node"),
    (Action.READ_USAGE, "RevocationImpact", "verdict lastHour lastDay last30Days callers permissions"),
    (Action.READ_ROTATIONS, "Workspace", "rotations"),
    (Action.READ_ROTATIONS, "RotationConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_ROTATIONS, "RotationEdge", "cursor node"),
    (Action.READ_ROTATIONS, "ApiKey", "rotation predecessor successor"),
    (Action.READ_ROTATIONS, "Rotation", "id state predecessor successor startedAt startedBy deadline deadlinePassed onDeadline"),
    (Action.READ_ROTATIONS, "Rotation", "quietPeriodSeconds quietSince readyAt endedAt endedBy callers"),
    # Whoever finishes a rotation sees who would be cut off.
    (Action.READ_ROTATIONS, "Caller", "id network userAgent folded firstSeenAt lastSeenAt requests permissions"),
    (Action.READ_KEYS, "Caller", "apiKey"),
    (Action.READ_ROTATIONS, "Caller", "moved dismissed onSuccessorAt"),
    (Action.READ_MEMBERS, "Workspace", "members invitations"),
    (Action.READ_MEMBERS, "MemberConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_MEMBERS, "MemberEdge", "cursor node"),
    (Action.READ_MEMBERS, "Member", "id user role joinedAt"),
    (Action.READ_MEMBERS, "InvitationConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_MEMBERS, "InvitationEdge", "cursor node"),
    (Action.READ_MEMBERS, "Invitation", "id email role invitedAt expiresAt"),
    (Action.READ_MANAGEMENT_KEYS, "Workspace", "managementKeys"),
    (Action.READ_MANAGEMENT_KEYS, "ManagementKeyConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_MANAGEMENT_KEYS, "ManagementKeyEdge", "cursor node"),
    # A management key may look at itself, through `viewer`.
    (None, "ManagementKey", "id workspace name prefix status scopes maker createdAt expiresAt lastUsedAt revokedAt"),
    (Action.READ_AUDIT, "Workspace", "auditEvents"),
    (Action.READ_AUDIT, "AuditEventConnection", "edges nodes pageInfo totalCount"),
    (Action.READ_AUDIT, "AuditEventEdge", "cursor node"),
    (Action.READ_AUDIT, "AuditEvent", "id at actor action target detail address userAgent requestId"),
    (Action.CREATE_API_KEY, "Mutation", "createApiKey"),
    (Action.UPDATE_API_KEY, "Mutation", "updateApiKey"),
    (Action.SUSPEND_API_KEY, "Mutation", "suspendApiKey"),
    (Action.RESUME_API_KEY, "Mutation", "resumeApiKey"),
    (Action.REVOKE_API_KEY, "Mutation", "revokeApiKey revokeApiKeys"),
    (Action.ROTATE_API_KEY, "Mutation", "rotateApiKey"),
    (Action.COMPLETE_ROTATION, "Mutation", "completeRotation"),
    (Action.CANCEL_ROTATION, "Mutation", "cancelRotation"),
    (Action.EXTEND_ROTATION, "Mutation", "extendRotation"),
    (Action.DISMISS_CALLER, "Mutation", "dismissCaller"),
    (Action.VERIFY_API_KEY, "Mutation", "verifyApiKey"),
    (Action.UPDATE_WORKSPACE, "Mutation", "updateWorkspace"),
    (Action.CHANGE_PLAN, "Mutation", "changePlan"),
    (Action.INVITE_MEMBER, "Mutation", "inviteMember"),
    (Action.INVITE_MEMBER, "Mutation", "withdrawInvitation"),
    (Action.CHANGE_MEMBER_ROLE, "Mutation", "changeMemberRole"),
    (Action.REMOVE_MEMBER, "Mutation", "removeMember"),
    (Action.CREATE_MANAGEMENT_KEY, "Mutation", "createManagementKey"),
    (Action.REVOKE_MANAGEMENT_KEY, "Mutation", "revokeManagementKey"),
    # What a payload carries is guarded by its own type's rows.
    (None, "ApiKeyPreview", "name environment permissions allowedIps expiresAt"),
    (None, "CreateApiKeyPayload", "apiKey secret"),
    (None, "UpdateApiKeyPayload", "apiKey"),
    (None, "SuspendApiKeyPayload", "apiKey"),
    (None, "ResumeApiKeyPayload", "apiKey"),
    (None, "RevokeApiKeyPayload", "apiKey"),
    (None, "RevokeApiKeysPayload", "results"),
    (None, "RotateApiKeyPayload", "rotation apiKey secret retryAfter"),
    (None, "CompleteRotationPayload", "rotation"),
    (None, "CancelRotationPayload", "rotation"),
    (None, "ExtendRotationPayload", "rotation"),
    (None, "DismissCallerPayload", "rotation"),
    (None, "VerifyApiKeyPayload", "valid verdict code message apiKey missingPermission"),
    (None, "UpdateWorkspacePayload", "workspace"),
    (None, "ChangePlanPayload", "workspace"),
    (None, "InviteMemberPayload", "invitation link"),
    (None, "WithdrawInvitationPayload", "invitation"),
    (None, "ChangeMemberRolePayload", "member"),
    (None, "RemoveMemberPayload", "workspace takenOver revoked"),
    (None, "CreateManagementKeyPayload", "managementKey secret"),
    (None, "RevokeManagementKeyPayload", "managementKey"),
    (None, "Problem", "code message"),
    (None, "ValidationFailed", "code message fields"),
    (None, "FieldProblem", "field path code message"),
    (None, "NotFound", "code message"),
    (None, "NotAllowed", "code message"),
    (None, "Conflict", "code message"),
    (None, "PlanLimitReached", "code message plan limit used upgradeTo"),
    (None, "RotationNotReady", "code message callers"),
)

MUTATIONS: Final = "Mutation."
FIELDS: Final[dict[str, Action | None]] = {f"{parent}.{name}": action for action, parent, names in _ROWS for name in names.split()}


def require(actor: Actor, coordinates: Collection[str]) -> None:
    """Raises NotAllowed unless `actor` may touch every one of these fields.

    Mutations are asked one by one when it is their turn, so that their refusal is their own answer.
    """
    if unknown := sorted(set(coordinates) - FIELDS.keys()):
        raise NotAllowed(f"{unknown[0]} is not open to anybody.")
    if actor.kind is ActorKind.MANAGEMENT_KEY:
        for coordinate in sorted(coordinate for coordinate in coordinates if not coordinate.startswith(MUTATIONS)):
            _require_scope(actor, coordinate)


def require_mutation(actor: Actor, name: str) -> None:
    """Raises NotAllowed unless `actor` may ask for this mutation."""
    if (action := FIELDS[MUTATIONS + name]) is not None:
        policy.require_scope(actor, action)


def _require_scope(actor: Actor, coordinate: str) -> None:
    """Of a whole document the refusal says which field it is about."""
    action = FIELDS[coordinate]
    if action is None:
        return
    try:
        policy.require_scope(actor, action)
    except NotAllowed as refusal:
        raise NotAllowed(f"{coordinate}: {refusal.message}") from None
