"""Limits of documents: each at its last allowed value and one beyond, and attacks that must be refused cheaply."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLError, get_introspection_query, parse

from app.api.execution import limits
from app.api.execution.cost import BUDGET, CHANGE
from app.api.execution.documents import ERRORS_TOLD, Documents
from app.api.schema import core
from app.clock import DAY, rfc3339
from app.usage.ranges import MOST_DAYS_BY_HOURS, chosen
from tests.support.graphql import Client, operation

# The maximum number of function calls for a refusal: that of the largest allowed documents, plus a third.
MOST_CALLS = 270_000


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(core())


def problems(documents: Documents, text: str, **variables: Any) -> list[str]:
    """The messages with which a document is refused before execution."""
    document = documents.prepare(text)
    if document.errors:
        return [error.message for error in document.errors]
    try:
        documents.cost_of(document, document.operation(None), variables)
    except GraphQLError as error:
        return [error.message]
    return []


def cost(documents: Documents, text: str, **variables: Any) -> int:
    document = documents.prepare(text)
    assert not document.errors, document.errors
    return documents.cost_of(document, document.operation(None), variables).cost


def nested(levels: int) -> str:
    """A query with so many levels of fields, which need not exist."""
    return "{" + "a{" * (levels - 1) + "a" + "}" * levels


def exceeded(text: str) -> list[str]:
    return [error.message for error in limits.exceeded(parse(text))]


def test_ten_levels_of_fields_are_allowed_and_eleven_are_not() -> None:
    assert exceeded(nested(10)) == []
    assert exceeded(nested(11)) == ["Levels of fields: 11, at most 10."]


def test_levels_inside_fragments_count() -> None:
    query = "{a{a{a{a{a{...F}}}}}} fragment F on Query{a{a{a{a{a{a}}}}}}"
    assert exceeded(query) == ["Levels of fields: 11, at most 10."]


def test_two_thousand_tokens_are_allowed_and_one_more_is_not(documents: Documents) -> None:
    def query(tokens: int) -> str:
        return 'mutation{createApiKey(input:{name:"n",environment:"e",permissions:[]}){' + "__typename " * (tokens - 22) + "}}"

    def refusals(tokens: int) -> list[str]:
        return [message for message in problems(documents, query(tokens)) if message.startswith("Syntax")]

    assert refusals(limits.TOKENS) == []
    assert refusals(limits.TOKENS + 1) == ["Syntax Error: Document contains more than 2000 tokens. Parsing aborted."]


def test_fifteen_aliases_are_allowed_and_sixteen_are_not(documents: Documents) -> None:
    def query(aliases: int) -> str:
        return "{viewer{" + " ".join(f"a{number}:kind" for number in range(aliases)) + "}}"

    assert problems(documents, query(15)) == []
    assert problems(documents, query(16)) == ["Aliases: 16, at most 15."]


def test_aliases_in_fragments_count_as_often_as_they_are_spread(documents: Documents) -> None:
    query = "{viewer{...F} v:viewer{...F}} fragment F on Viewer{" + " ".join(f"a{number}:kind" for number in range(8)) + "}"
    assert problems(documents, query) == ["Aliases: 17, at most 15."]


def test_ten_root_fields_are_allowed_and_eleven_are_not(documents: Documents) -> None:
    def query(fields: int) -> str:
        return "{" + "plans{name}" * 3 + "...F} fragment F on Query{" + "viewer{kind}" * (fields - 3) + "}"

    assert problems(documents, query(10)) == []
    assert problems(documents, query(11)) == ["Root fields: 11, at most 10."]


def test_five_mutations_are_allowed_and_six_are_not(documents: Documents) -> None:
    def query(mutations: int) -> str:
        return "mutation{" + " ".join(f'm{n}:resumeApiKey(input:{{id:"k"}}){{__typename}}' for n in range(mutations)) + "}"

    assert problems(documents, query(5)) == []
    assert problems(documents, query(6)) == ["Mutations: 6, at most 5."]


def test_two_directives_at_one_location_are_allowed_and_three_are_not(documents: Documents) -> None:
    assert problems(documents, "{viewer{kind @include(if:true) @skip(if:false)}}") == []
    refusal = ["Directives at one place: 3, at most 2."]
    assert problems(documents, "{viewer{kind @include(if:true) @skip(if:false) @skip(if:false)}}") == refusal
    assert problems(documents, "query @a @b @c {viewer{kind}}") == refusal
    assert problems(documents, "query($x: Int @a @b @c) {viewer{kind}}") == refusal
    assert problems(documents, "{...F} fragment F on Query @a @b @c {viewer{kind}}") == refusal


def test_fifty_operations_and_fragments_are_allowed_and_one_more_is_not() -> None:
    def document(definitions: int) -> DocumentNode:
        return parse(" ".join(f"query q{number}{{viewer{{kind}}}}" for number in range(definitions)))

    assert limits.exceeded(document(50)) == []
    assert [error.message for error in limits.exceeded(document(51))] == ["Operations and fragments: 51, at most 50."]


def test_a_number_of_twenty_characters_is_allowed_and_one_more_is_not() -> None:
    assert exceeded("{a(b:%s)}" % ("1" * 20)) == []
    for number in ("1" * 21, "1" * 5_000, "1." + "0" * 20):
        assert exceeded(f"{{a(b:[{number}])}}") == [f"Characters of a number: {len(number):,}, at most 20."]


def test_a_list_of_a_hundred_entries_is_allowed_and_one_more_is_not() -> None:
    assert exceeded("{a(b:{c:[%s]})}" % ("X " * 100)) == []
    assert exceeded("{a(b:{c:[%s]})}" % ("X " * 101)) == ["Entries of a list: 101, at most 100."]


async def test_of_a_hundred_faults_twenty_are_reported(owner: Client) -> None:
    given = {"name": "x", "environment": "production", "permissions": [f"no.{number}" for number in range(100)]}
    answer = await owner.change("keys/create", **given)
    assert answer["code"] == "VALIDATION_FAILED" and len(answer["fields"]) == 20


@pytest.mark.parametrize("field", ["status: [ACTIVE", "rotation: [OVERDUE"])
async def test_the_longest_filter_is_answered(owner: Client, field: str) -> None:
    word = field.partition("[")[2]
    await owner.ask(f"{{workspace{{apiKeys(filter: {{{field} {f'{word} ' * 99}]}}) {{totalCount}}}}}}")


def test_a_page_multiplies_the_cost_of_what_is_in_it(documents: Documents) -> None:
    query = "query($n:Int){workspace{apiKeys(first:$n){nodes{id name}}}}"
    assert [cost(documents, query, n=n) for n in (1, 10, 100)] == [52 + 3, 52 + 30, 52 + 300]
    assert cost(documents, "{workspace{apiKeys{nodes{id name}}}}") == cost(documents, query, n=20) == cost(documents, query)
    assert cost(documents, "query($n:Int=50){workspace{apiKeys(last:$n){nodes{id name}}}}") == 52 + 150


def test_a_variable_costs_what_it_is_coerced_to(documents: Documents) -> None:
    usage = "usage(since:$since,granularity:$by){totalRequests}"
    query = f"query($n:Int,$since:DateTime,$by:UsageGranularity!){{workspace{{apiKeys(first:$n){{nodes{{{usage}}}}}}}}}"
    day_ago = rfc3339(time.time_ns() // 1000 - DAY)
    given = cost(documents, query, n=100, since=day_ago, by="HOUR")
    assert given == cost(documents, query, n=100.0, since=day_ago, by="HOUR") > 100 * 24
    assert cost(documents, query, since=day_ago, by="DAY") < given / 20
    assert given == cost(documents, query.replace("$n:Int", "$n:Int=100"), since=day_ago, by="HOUR")


def test_a_span_costs_its_steps_also_when_no_series_shows_them(documents: Documents) -> None:
    query = "query($key:ID!){node(id:$key){...on ApiKey{usage(since:%s,until:%s){%s}}}}"
    year = ('"2026-01-01T00:00:00Z"', '"2026-12-31T00:00:00Z"')
    assert cost(documents, query % (*year, "totalRequests")) == 1 + 1 + 1 + 3 * 366
    assert cost(documents, query % (*year, "totalRequests series{at}")) == 1 + 1 + 2 + (1 + 4) * 366
    assert cost(documents, query % (*year, "series{at total}")) == 1 + 1 + 1 + (2 + 4) * 366


def test_the_longest_range_by_hours_of_the_dashboard_is_one_operation(documents: Documents) -> None:
    """With everything that the overview shows of it, and all keys of a workspace together."""
    now = time.time_ns() // 1000
    shown = chosen({"range": "custom", "from": rfc3339(now - 13 * DAY)[:10], "to": rfc3339(now)[:10], "by": "hours"}, now)
    assert shown.until - shown.since == MOST_DAYS_BY_HOURS * DAY
    span = {"since": rfc3339(shown.since), "until": rfc3339(shown.until), "granularity": "HOUR"}
    assert cost(documents, operation("workspaces/usage"), **span) < BUDGET


def test_the_cost_of_a_span_without_an_end_is_recomputed_as_it_grows(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    text, now = '{workspace{usage(since:"2026-01-01T00:00:00Z"){totalRequests}}}', 1_770_000_000 * 10**9
    spent = []
    for days in (0, 10):
        monkeypatch.setattr(time, "time_ns", lambda days=days: now + days * DAY * 1000)
        spent.append(cost(documents, text))
    assert spent[1] - spent[0] == 10 * (spent[1] - cost(documents, text.replace("01-01", "01-02")))


def test_lists_within_lists_are_refused_by_their_product(documents: Documents) -> None:
    fields = "id name prefix status createdAt expiresAt lastUsedAt lastUsedIp rotateBy rotationDue environment{name title prefix}"
    query = "{viewer{workspaces{apiKeys(first:100){nodes{" + fields + " permissions{name description}}}}}}"
    (message,) = problems(documents, query)
    assert message.startswith("Fields to resolve (lists multiply): ") and message.endswith(f"at most {BUDGET:,}.")


def test_fragments_cost_as_often_as_they_are_spread(documents: Documents) -> None:
    query = "{a:viewer{...F} b:viewer{...F}} fragment F on Viewer{kind scopes}"
    assert cost(documents, query) == 2 * 3


def test_the_usual_introspection_query_is_within_the_limits(documents: Documents) -> None:
    assert problems(documents, get_introspection_query(input_value_deprecation=True, specified_by_url=True)) == []


ATTACKS = {
    "fragment bomb": "{...F0}"
    + "".join(f" fragment F{n} on Query{{...F{n + 1} ...F{n + 1} ...F{n + 1}}}" for n in range(40))
    + " fragment F40 on Query{a:viewer{kind}}",
    "fragment cycle": "{...F} fragment F on Query{...G} fragment G on Query{...F viewer{kind}}",
    "one field 1900 times": "{viewer{" + "kind " * 1900 + "}}",
    "one object 480 times": "{viewer{" + "user{id}" * 480 + "}}",
    "the same in two fragments": "{viewer{...A ...B}} fragment A on Viewer{"
    + "user{id name}" * 150
    + "} fragment B on Viewer{"
    + "user{id name}" * 150
    + "}",
    "900 directives": "{viewer{kind " + "@a " * 900 + "}}",
    "1000 unknown fields": "{viewer{" + " ".join(f"x{n}" for n in range(1000)) + "}}",
    "900 levels": nested(900),
    "900 nested lists": "{workspace(slug:" + "[" * 900 + "]" * 900 + "){id}}",
    "200 operations": " ".join(f"query q{n}{{viewer{{kind}}}}" for n in range(200)),
    "introspection cycle": "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
    "46 bytes": "{__schema{types{fields{type{fields{type{name}}}}}}}",
    "comments": "#\n" * 20_000 + "{viewer{kind}}",
}


@dataclass
class Calls:
    number: int = 0

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        self.number += event in ("call", "c_call")


@contextlib.contextmanager
def counting_calls() -> Iterator[Calls]:
    """Counts function calls, a measure of work that does not depend on the load of the machine."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_expensive_document_is_refused_cheaply(documents: Documents, attack: str) -> None:
    with counting_calls() as calls:
        found = problems(documents, ATTACKS[attack])
    assert calls.number < MOST_CALLS
    assert found or attack == "46 bytes"
    assert len(found) <= ERRORS_TOLD


async def test_a_first_or_last_outside_1_to_100_is_refused_with_a_message(owner: Client) -> None:
    query = "query($first:Int,$last:Int){workspace{apiKeys(first:$first,last:$last){totalCount}}}"
    for size in ({"first": 1}, {"first": 100}, {"last": 1}, {"last": 100}, {"first": None}):
        assert (await owner.ask(query, **size))["workspace"]["apiKeys"] == {"totalCount": 0}
    for name in ("first", "last"):
        for value in (0, -1, 101, 2**31 - 1):
            (error,) = await owner.refused(query, **{name: value})
            assert error["message"] == f"`{name}` is a number from 1 to 100."
            assert error["extensions"]["code"] == "BAD_USER_INPUT"
        for nonsense in (1.5, "ten", 2**31, True, [1, 2]):
            assert (await owner.refused(query, **{name: nonsense}))[0]["extensions"]["code"] == "BAD_USER_INPUT"
    (error,) = await owner.refused(query, first=1, last=1)
    assert error["message"] == "Give `first` or `last`, not both."


async def test_unknown_names_get_no_suggestions(owner: Client) -> None:
    for query in ("{viewr{kind}}", "{viewer{knd}}", "{plans{nam}}", "{workspace(slg:1){id}}", "{viewer{...on Viewr{kind}}}"):
        for error in await owner.refused(query):
            assert "Did you mean" not in error["message"]
    mutation = "mutation($i:RevokeApiKeyInput!){revokeApiKey(input:$i){__typename}}"
    for given in ({"id": "k", "reason": "OTHR"}, {"id": "k", "reason": "OTHER", "nte": "x"}):
        for error in await owner.refused(mutation, i=given):
            assert "Did you mean" not in error["message"]


async def test_at_most_five_errors_are_reported(owner: Client) -> None:
    assert len(await owner.refused("{" + " ".join(f"x{n}" for n in range(9)) + "}")) == ERRORS_TOLD
    given = {"name": 1, "environment": 2, "permissions": [3, 4, 5, 6, 7, 8, 9]}
    mutation = "mutation($i:CreateApiKeyInput!){createApiKey(input:$i){__typename}}"
    assert len(await owner.refused(mutation, i=given)) <= ERRORS_TOLD + 1


@pytest.mark.parametrize(("ids", "times"), [(["key_a"], 1), (["key_a"] * 100, 100), ([], 1)])
def test_a_bulk_change_costs_as_much_as_a_change_of_each_key(documents: Documents, ids: list[str], times: int) -> None:
    text = "mutation($ids: [ID!]!) { revokeApiKeys(input: {ids: $ids, reason: OTHER}) { __typename } }"
    document = documents.prepare(text)
    assert document.errors == ()
    assert documents.cost_of(document, document.operation(None), {"ids": ids}).cost == 2 + times * CHANGE


def test_a_rotation_costs_twice_as_much_as_another_change(documents: Documents) -> None:
    document = documents.prepare("mutation($ids: [ID!]!) { rotateApiKeys(input: {ids: $ids}) { __typename } }")
    assert document.errors == ()
    assert documents.cost_of(document, document.operation(None), {"ids": ["key_a"] * 50}).cost == 2 + 50 * 2 * CHANGE
