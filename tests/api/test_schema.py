"""The published contract: the text in `graphql/`, what each field requires, the operations, the vendored explorer."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
    parse,
    validate,
    visit,
)

from app.access.policy import RULES, Action
from app.api import schema as published
from app.api.execution.limits import exceeded
from app.api.framework import authorization, descriptions
from app.api.framework.authorization import sentence
from app.api.schema import ACTIONS
from app.errors import Problem
from app.paths import OPERATIONS, SCHEMA, STATIC
from tests.support.graphql import operation, operations

CORE = published.core()
MUTATIONS = CORE.mutation_type.fields if CORE.mutation_type else {}
VENDORED = tomllib.loads((STATIC / "vendor/graphiql/vendored.toml").read_text(encoding="utf-8"))


def test_the_published_schema_is_the_one_that_the_code_serves() -> None:
    """`keydesk schema > graphql/schema.graphql` writes it."""
    assert SCHEMA.read_text(encoding="utf-8") == published.sdl()


def test_every_type_field_argument_and_enum_value_is_described() -> None:
    assert descriptions.without(CORE) == []
    assert descriptions.without(build_schema(SCHEMA.read_text(encoding="utf-8"))) == []


def test_no_description_is_left_over() -> None:
    parts = {place.rstrip(")") for place in descriptions.DESCRIPTIONS}
    for place in parts:
        kind, _, member = place.partition(".")
        name, _, argument = member.partition("(")
        members = {**getattr(CORE.type_map[kind], "fields", {}), **getattr(CORE.type_map[kind], "values", {})}
        assert not name or name in members, place
        assert not argument or argument in members[name].args, place


def test_the_published_schema_can_be_parsed_by_a_client() -> None:
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))
    assert schema.query_type and schema.mutation_type


def test_every_field_declares_what_it_requires() -> None:
    assert authorization.undeclared(CORE, ACTIONS) == []
    kinds = [kind for kind in CORE.type_map.values() if not is_introspection_type(kind)]
    served = {
        f"{kind.name}.{name}"
        for kind in kinds
        if not isinstance(kind, GraphQLInputObjectType)
        for name in getattr(kind, "fields", {})
    }
    assert set(ACTIONS) == served


def test_the_server_refuses_to_start_with_a_field_that_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ACTIONS, "ApiKey.name")
    with pytest.raises(RuntimeError, match=r"ApiKey\.name"):
        published.core()


def test_the_published_descriptions_say_for_every_field_what_it_requires() -> None:
    """At the end of its own description, or of its type's where all fields of the type require the same."""
    kinds = build_schema(SCHEMA.read_text(encoding="utf-8")).type_map.values()
    said: dict[str, str] = {}
    for kind in kinds:
        if (is_object_type(kind) or is_interface_type(kind)) and not is_introspection_type(kind):
            of_type = requirement_in(kind.description)
            said |= {f"{kind.name}.{name}": requirement_in(field.description) or of_type for name, field in kind.fields.items()}
    assert said == {name: sentence(action) for name, action in ACTIONS.items()}


def requirement_in(description: str | None) -> str:
    sentences = (
        r"Requires the scope `[a-z.]+`\.",
        r"Not for management keys(?:; an operator key needs `[a-z.]+`)?\.",
        r"Only for operator keys, with the scope `[a-z.]+`\.",
        r"Only for users, with a session\.",
    )
    found = re.search(rf"(?:^|\s)({'|'.join(sentences)})$", description or "")
    return found[1] if found else ""


def test_every_action_has_a_rule() -> None:
    assert set(RULES) == set(Action)


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_mutation_takes_one_input_and_returns_its_payload_or_a_problem(name: str) -> None:
    verb = name[0].upper() + name[1:]
    field = MUTATIONS[name]
    (argument,) = field.args.items()
    assert argument[0] == "input" and str(argument[1].type) == f"{verb}Input!"
    union = field.type
    # Nullable, so that the failure of one mutation does not remove the secrets of the others.
    assert isinstance(union, GraphQLUnionType) and union.name == f"{verb}Result"
    payload, *problems = (kind for kind in union.types if not kind.name.endswith("Preview"))
    assert payload.name == f"{verb}Payload" and problems
    for problem in problems:
        assert [interface.name for interface in problem.interfaces] == ["Problem"]


def test_problems_have_the_codes_of_the_error_tree() -> None:
    codes = {kind.__name__: kind.code for kind in Problem.__subclasses__()}
    for kind in CORE.type_map.values():
        if isinstance(kind, GraphQLObjectType) and any(interface.name == "Problem" for interface in kind.interfaces):
            assert f"`{codes[kind.name]}`" in (kind.description or "")


def test_lists_contain_no_nulls_and_pages_have_the_same_arguments() -> None:
    for kind in CORE.type_map.values():
        for name, field in getattr(kind, "fields", {}).items():
            if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
                assert "[" not in str(field.type) or "!]" in str(field.type), f"{kind.name}.{name}"
            if get_named_type(field.type).name.endswith("Connection"):
                assert [*field.args][:4] == ["first", "after", "last", "before"]


def test_a_field_that_can_be_refused_is_nullable() -> None:
    for kind in CORE.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            refusable = [name for name, field in kind.fields.items() if field.args]
            assert [name for name in refusable if isinstance(kind.fields[name].type, GraphQLNonNull)] == [], kind.name
    assert not isinstance(CORE.type_map["ApiKey"].fields["revocationImpact"].type, GraphQLNonNull)  # type: ignore[attr-defined]


def test_the_same_type_and_id_mean_the_same_fields() -> None:
    """Client-side caches rely on this: a type with an `id` is a current object, and history (`Actor`) has no `id`."""
    kinds = [kind for kind in CORE.type_map.values() if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind)]
    with_id = {kind.name for kind in kinds if "id" in kind.fields}
    nodes = {kind.name for kind in kinds if any(interface.name == "Node" for interface in kind.interfaces)}
    assert with_id - nodes == {"User"} and "Actor" not in with_id


def test_the_documentation_lists_every_type_that_caches_cannot_store_by_id() -> None:
    text = (SCHEMA.parent.parent / "docs/graphql.md").read_text(encoding="utf-8")
    kinds = [kind for kind in CORE.type_map.values() if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind)]
    parts = ("Payload", "Connection", "Edge")
    problems = {kind.name for kind in kinds if any(interface.name == "Problem" for interface in kind.interfaces)}
    values = {kind.name for kind in kinds if "id" not in kind.fields and not kind.name.endswith(parts)} - problems
    for name in values - {"Query", "Mutation", "Subscription", "PageInfo", "FieldProblem"}:
        assert f'"{name}"' in text, name


def test_only_creating_a_credential_returns_a_secret() -> None:
    names = {f"{kind.name}.{name}" for kind in CORE.type_map.values() for name in getattr(kind, "fields", {})}
    telling = {
        name
        for name in names
        if any(word in name.partition(".")[2].lower() for word in ("secret", "digest", "pepper", "hash", "token", "password"))
    }
    # A mutation, and an instant.
    assert telling - {"Mutation.rotateWebhookSecret", "Webhook.previousSecretUntil"} == {
        "CreateApiKeyPayload.secret",
        "RotateApiKeyPayload.secret",
        "ReplaceUnusedApiKeyPayload.secret",
        "CreateManagementKeyPayload.secret",
        "CreateWebhookPayload.secret",
        "RotateWebhookSecretPayload.secret",
    }


def test_only_settings_of_an_object_can_be_written() -> None:
    forbidden = {
        "role",
        "owner",
        "digest",
        "used",
        "createdBy",
        "createdAt",
        "status",
        "maker",
        "prefix",
        "plan",
        "revokedAt",
        "slug",
    }
    allowed = {
        "InviteMemberInput.role",
        "ChangeMemberRoleInput.role",
        "ChangePlanInput.plan",
        "WorkspaceFilter.plan",
        "DeleteWorkspaceInput.slug",
    }
    allowed |= {f"ProvisionWorkspaceInput.{name}" for name in ("plan", "slug")}
    allowed |= {f"ApiKeyFilter.{name}" for name in ("status", "createdAt", "createdBy")}
    # Who is responsible for a key; it gives nobody a right.
    allowed |= {f"{kind}.owner" for kind in ("CreateApiKeyInput", "UpdateApiKeyInput", "UpdateApiKeysInput", "ApiKeyFilter")}
    inputs = [kind for kind in CORE.type_map.values() if isinstance(kind, GraphQLInputObjectType)]
    found = {f"{kind.name}.{name}" for kind in inputs for name in kind.fields if name in forbidden}
    assert found <= allowed


def test_enum_values_are_in_upper_case() -> None:
    for kind in CORE.type_map.values():
        if isinstance(kind, GraphQLEnumType) and not is_introspection_type(kind):
            assert all(value == value.upper() for value in kind.values), kind.name


# Those of the checklist need another scope than the rest of it.
IN_NO_OPERATION = {
    *("ChecklistBreach.permissions", "ChecklistItem.visits", "UsageVisit.at", "UsageVisit.name", "UsageVisit.userId"),
    *("ApiKeyUsedEvent.apiKey", "Caller.apiKey", "RedeliverWebhookPayload.webhook"),
    *("ChecklistBreachConnection.pageInfo", "PageInfo.hasPreviousPage", "PageInfo.startCursor"),
    "WebhookDelivery.body",
}


@pytest.mark.parametrize("name", operations())
def test_a_published_operation_is_valid_named_and_explained(name: str) -> None:
    text = operation(name)
    document = parse(text)
    assert text.startswith("# ") and validate(CORE, document) == [] and exceeded(document) == []
    (definition,) = document.definitions
    assert isinstance(definition, OperationDefinitionNode) and definition.name


def test_every_mutation_has_a_published_operation() -> None:
    texts = [operation(name) for name in operations()]
    for mutation in MUTATIONS:
        assert any(f" {mutation}(" in text for text in texts), mutation


def test_fields_in_no_published_operation_are_named_here() -> None:
    """Back references and edges, which every type has alike, are left to the clients that want them."""
    read = set[str]()
    for name in operations():
        types = TypeInfo(CORE)

        class Fields(Visitor):
            def enter_field(self, node: FieldNode, *_: object, types: TypeInfo = types) -> None:
                if parent := types.get_parent_type():
                    read.add(f"{parent.name}.{node.name.value}")

        visit(parse(operation(name)), TypeInfoVisitor(types, Fields()))
    unread = {
        f"{kind.name}.{field}"
        for kind in CORE.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind)
        for field in kind.fields
        if not read & {f"{each.name}.{field}" for each in (kind, *kind.interfaces)}
    }
    alike = re.compile(r"\w+Connection\.edges|\w+Edge\.(cursor|node)|\w+\.workspace")
    assert {name for name in unread if not alike.fullmatch(name)} == IN_NO_OPERATION


def test_every_published_operation_is_run_by_a_test() -> None:
    tests = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name
    )
    assert [name for name in operations() if f'"{name}"' not in tests] == []


def test_the_contract_is_data() -> None:
    assert [*OPERATIONS.parent.rglob("*.py")] == []


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_a_vendored_file_is_the_one_that_was_published(name: str) -> None:
    assert hashlib.sha256((STATIC / "vendor/graphiql" / name).read_bytes()).hexdigest() == VENDORED[name]["sha256"]


def test_every_vendored_file_is_named() -> None:
    files = {path.name for path in (STATIC / "vendor/graphiql").iterdir() if path.suffix in (".js", ".css")}
    assert files == set(VENDORED)
