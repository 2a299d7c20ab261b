"""The policy tables: for each action the minimum role, the scope that allows it to a management key (None: no key may), and
what operator keys may do.

Use cases name an Action; a member cannot do anything that has no row here, and neither can an operator key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final, TypeAlias

from app.access.actor import Actor, ActorKind, OperatorScope, Role, Scope
from app.clock import MINUTE
from app.errors import ConfirmationNeeded, NotAllowed

# How long a password confirmation is valid for actions that a stolen session must not be able to do (OWASP ASVS 5.0, 7.5).
RECENT: Final = 10 * MINUTE


class Action(StrEnum):
    READ_WORKSPACE = auto()
    READ_MEMBERS = auto()
    READ_KEYS = auto()
    READ_USAGE = auto()
    READ_AUDIT = auto()
    EXPORT_AUDIT = auto()
    READ_MANAGEMENT_KEYS = auto()
    VERIFY_API_KEY = auto()
    CREATE_API_KEY = auto()
    UPDATE_API_KEY = auto()
    SUSPEND_API_KEY = auto()
    RESUME_API_KEY = auto()
    REVOKE_API_KEY = auto()
    READ_CHECKLIST = auto()
    ATTEST_CHECKLIST_ITEM = auto()
    READ_ROTATIONS = auto()
    ROTATE_API_KEY = auto()
    COMPLETE_ROTATION = auto()
    CANCEL_ROTATION = auto()
    EXTEND_ROTATION = auto()
    DISMISS_CALLER = auto()
    RESOLVE_ALERT = auto()
    SET_AUTOMATIC_SUSPENSION = auto()
    CHOOSE_ALERT_MAIL = auto()
    SHARE_CALENDAR = auto()
    UPDATE_WORKSPACE = auto()
    CHANGE_PLAN = auto()
    DELETE_WORKSPACE = auto()
    INVITE_MEMBER = auto()
    CHANGE_MEMBER_ROLE = auto()
    REMOVE_MEMBER = auto()
    LEAVE_WORKSPACE = auto()
    CREATE_MANAGEMENT_KEY = auto()
    REVOKE_MANAGEMENT_KEY = auto()
    READ_WEBHOOKS = auto()
    CREATE_WEBHOOK = auto()
    UPDATE_WEBHOOK = auto()
    DELETE_WEBHOOK = auto()
    SEND_TO_WEBHOOK = auto()
    READ_WEBHOOK_SECRET = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """`while_suspended`: allowed in a suspended workspace, too. `recent`: users must have confirmed their password."""

    role: Role
    scope: Scope | None
    while_suspended: bool = False
    recent: bool = False


_READ: Final = True
RULES: Final[dict[Action, Rule]] = {
    Action.READ_WORKSPACE: Rule(Role.VIEWER, Scope.WORKSPACE_READ, _READ),
    Action.READ_MEMBERS: Rule(Role.VIEWER, Scope.WORKSPACE_READ, _READ),
    Action.READ_KEYS: Rule(Role.VIEWER, Scope.KEYS_READ, _READ),
    Action.READ_USAGE: Rule(Role.VIEWER, Scope.USAGE_READ, _READ),
    Action.READ_AUDIT: Rule(Role.VIEWER, Scope.AUDIT_READ, _READ),
    # A file with everyone's addresses leaves. A program reads the same entries page by page, with a scope of its own.
    Action.EXPORT_AUDIT: Rule(Role.VIEWER, None, _READ, recent=True),
    Action.READ_MANAGEMENT_KEYS: Rule(Role.OWNER, None, _READ),
    Action.VERIFY_API_KEY: Rule(Role.VIEWER, Scope.KEYS_READ, _READ),
    Action.CREATE_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.UPDATE_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.SUSPEND_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE, while_suspended=True),
    Action.RESUME_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.REVOKE_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE, while_suspended=True),
    Action.READ_CHECKLIST: Rule(Role.VIEWER, Scope.KEYS_READ, _READ),
    # A program cannot know what is confirmed here.
    Action.ATTEST_CHECKLIST_ITEM: Rule(Role.EDITOR, None),
    Action.READ_ROTATIONS: Rule(Role.VIEWER, Scope.KEYS_READ, _READ),
    Action.ROTATE_API_KEY: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.COMPLETE_ROTATION: Rule(Role.EDITOR, Scope.KEYS_WRITE, while_suspended=True),
    Action.CANCEL_ROTATION: Rule(Role.EDITOR, Scope.KEYS_WRITE, while_suspended=True),
    Action.EXTEND_ROTATION: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.DISMISS_CALLER: Rule(Role.EDITOR, Scope.KEYS_WRITE),
    Action.RESOLVE_ALERT: Rule(Role.EDITOR, Scope.KEYS_WRITE, while_suspended=True),
    Action.SET_AUTOMATIC_SUSPENSION: Rule(Role.OWNER, Scope.WORKSPACE_WRITE),
    # What a person gets by e-mail is not a program's to choose.
    Action.CHOOSE_ALERT_MAIL: Rule(Role.VIEWER, None, while_suspended=True),
    Action.SHARE_CALENDAR: Rule(Role.EDITOR, None),
    Action.UPDATE_WORKSPACE: Rule(Role.OWNER, Scope.WORKSPACE_WRITE),
    Action.CHANGE_PLAN: Rule(Role.OWNER, None),
    Action.DELETE_WORKSPACE: Rule(Role.OWNER, None, while_suspended=True, recent=True),
    Action.INVITE_MEMBER: Rule(Role.OWNER, None, recent=True),
    Action.CHANGE_MEMBER_ROLE: Rule(Role.OWNER, None, recent=True),
    Action.REMOVE_MEMBER: Rule(Role.OWNER, None, while_suspended=True, recent=True),
    Action.LEAVE_WORKSPACE: Rule(Role.VIEWER, None, while_suspended=True, recent=True),
    Action.CREATE_MANAGEMENT_KEY: Rule(Role.OWNER, None, recent=True),
    Action.REVOKE_MANAGEMENT_KEY: Rule(Role.OWNER, None, while_suspended=True),
    Action.READ_WEBHOOKS: Rule(Role.OWNER, Scope.WORKSPACE_READ, _READ),
    # A webhook carries what happens here to another place, like a credential.
    Action.CREATE_WEBHOOK: Rule(Role.OWNER, Scope.WORKSPACE_WRITE, recent=True),
    Action.UPDATE_WEBHOOK: Rule(Role.OWNER, Scope.WORKSPACE_WRITE, recent=True),
    Action.DELETE_WEBHOOK: Rule(Role.OWNER, Scope.WORKSPACE_WRITE, while_suspended=True),
    Action.SEND_TO_WEBHOOK: Rule(Role.OWNER, Scope.WORKSPACE_WRITE),
    # Creating one shows its secret to users only; a program never sees it.
    Action.READ_WEBHOOK_SECRET: Rule(Role.OWNER, None, recent=True),
}


class OperatorAction(StrEnum):
    CREATE_WORKSPACE = auto()
    LIST_WORKSPACES = auto()
    SUSPEND_WORKSPACE = auto()
    TRANSFER_WORKSPACE = auto()
    MANAGE_OPERATOR_KEYS = auto()
    RESET_PASSWORD = auto()
    LOOK_UP_USER = auto()
    FIND_BY_SECRET = auto()
    MANAGE_GATEWAY_TOKENS = auto()
    LIST_PLANS = auto()
    CHECK_AUDIT_LOG = auto()
    EXAMINE = auto()
    PREVIEW_CATALOGUE = auto()
    MAKE_DEMO = auto()
    EXPORT = auto()
    IMPORT = auto()


# Operator-only actions, and how an error message names them.
OPERATOR: Final[dict[OperatorAction, str]] = {
    OperatorAction.CREATE_WORKSPACE: "create workspaces",
    OperatorAction.LIST_WORKSPACES: "list all workspaces",
    OperatorAction.SUSPEND_WORKSPACE: "suspend and resume workspaces",
    OperatorAction.TRANSFER_WORKSPACE: "transfer workspaces",
    OperatorAction.MANAGE_OPERATOR_KEYS: "manage operator keys",
    OperatorAction.RESET_PASSWORD: "make password reset links",
    OperatorAction.LOOK_UP_USER: "look up users",
    OperatorAction.FIND_BY_SECRET: "find a credential by its secret",
    OperatorAction.MANAGE_GATEWAY_TOKENS: "manage gateway tokens",
    OperatorAction.LIST_PLANS: "list the plans of all workspaces",
    OperatorAction.CHECK_AUDIT_LOG: "check the audit log",
    OperatorAction.EXAMINE: "examine the installation",
    OperatorAction.PREVIEW_CATALOGUE: "preview a catalogue",
    OperatorAction.MAKE_DEMO: "make the demo",
    OperatorAction.EXPORT: "export the installation",
    OperatorAction.IMPORT: "import keys",
}


class UserAction(StrEnum):
    """What users do outside of workspaces: every user may, and no key."""

    CREATE_OWN_WORKSPACE = auto()


AnyAction: TypeAlias = Action | OperatorAction | UserAction

# All that operator keys may do, and the scope that allows it.
OPERATOR_KEYS: Final[dict[AnyAction, OperatorScope]] = {
    Action.READ_WORKSPACE: OperatorScope.WORKSPACES_READ,
    Action.CHANGE_PLAN: OperatorScope.WORKSPACES_WRITE,
    Action.DELETE_WORKSPACE: OperatorScope.WORKSPACES_DELETE,
    OperatorAction.CREATE_WORKSPACE: OperatorScope.WORKSPACES_WRITE,
    OperatorAction.LIST_WORKSPACES: OperatorScope.WORKSPACES_READ,
    OperatorAction.SUSPEND_WORKSPACE: OperatorScope.WORKSPACES_WRITE,
    OperatorAction.TRANSFER_WORKSPACE: OperatorScope.WORKSPACES_TRANSFER,
}


def require_operator(actor: Actor, action: OperatorAction) -> None:
    """Raises NotAllowed unless the actor is the operator, the system, or an operator key with the scope for it."""
    if actor.is_member:
        raise NotAllowed(f"Only the operator of Keydesk can {OPERATOR[action]}.")
    require_scope(actor, action)


def require_user(actor: Actor, action: UserAction) -> None:
    """Raises NotAllowed unless the actor is a user."""
    require_scope(actor, action)
    if actor.kind is not ActorKind.USER:
        raise NotAllowed("Only a user can do this.")


def require(actor: Actor, role: Role | None, action: AnyAction, *, suspended: bool) -> None:
    """Raises NotAllowed unless `actor`, holding `role` in the workspace now, may do `action` there."""
    if isinstance(action, UserAction):
        require_user(actor, action)
        return
    if isinstance(action, OperatorAction):
        require_operator(actor, action)
        return
    if not actor.is_member:
        require_scope(actor, action)
        return
    rule = RULES[action]
    if role is None or not role.includes(rule.role):
        raise NotAllowed(f"This needs the role {rule.role}; you are {_called(role)} here.")
    if actor.kind is ActorKind.MANAGEMENT_KEY:
        require_scope(actor, action)
    if suspended and not rule.while_suspended:
        raise NotAllowed("This workspace is suspended. Please contact support.")


def _called(role: Role | None) -> str:
    """`a viewer`, `an editor`."""
    if role is None:
        return "not a member"
    return f"a {role}" if role is Role.VIEWER else f"an {role}"


def require_scope(actor: Actor, action: AnyAction) -> None:
    """Raises NotAllowed for a key without the scope of `action`: a management key or an operator key. Others have all scopes."""
    if actor.kind is ActorKind.OPERATOR_KEY:
        if action not in OPERATOR_KEYS:
            raise NotAllowed("An operator key cannot do this: it manages workspaces, not what belongs to them.")
        if OPERATOR_KEYS[action] not in held_scopes(actor):
            raise NotAllowed(f"This needs an operator key with the scope {OPERATOR_KEYS[action]}.")
    if actor.kind is ActorKind.MANAGEMENT_KEY:
        scope = RULES[action].scope if isinstance(action, Action) else None
        if scope is None:
            who = "a user" if isinstance(action, UserAction) else "an owner"
            raise NotAllowed(f"A management key cannot do this; sign in as {who}.")
        if scope not in held_scopes(actor):
            raise NotAllowed(f"This needs a management key with the scope {scope}.")


def held_scopes(actor: Actor) -> set[Scope | OperatorScope]:
    """The scopes of a key, included ones too."""
    return {implied for scope in actor.scopes for implied in scope.implied}


def effective_scopes(actor: Actor, role: Role | None, *, suspended: bool) -> list[Scope]:
    """The scopes of a management key, included ones too, that allow at least one action now."""
    held = held_scopes(actor)
    useful = {rule.scope for action, rule in RULES.items() if may(actor, role, action, suspended=suspended)}
    return [scope for scope in Scope if scope in held & useful]


def require_recent(actor: Actor, action: AnyAction, now: int) -> None:
    """Raises ConfirmationNeeded if `action` requires a password given within RECENT and the actor gave it earlier."""
    if isinstance(action, Action) and RULES[action].recent:
        require_recent_password(actor, now)


def require_recent_password(actor: Actor, now: int) -> None:
    """Raises ConfirmationNeeded if the actor gave their password earlier than RECENT."""
    if actor.authenticated_at is not None and now - actor.authenticated_at > RECENT:
        raise ConfirmationNeeded


def may(actor: Actor, role: Role | None, action: AnyAction, *, suspended: bool = False) -> bool:
    """Like `require` but returns a bool, for pages that hide what the user cannot do."""
    try:
        require(actor, role, action, suspended=suspended)
    except NotAllowed:
        return False
    return True
