"""Parses, limits, validates and prices documents. Each step is done once per text.

A document is cached together with its errors, so that repeating an invalid text costs almost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_variable_values,
    parse,
    specified_rules,
    validate,
)

from app.api.execution import limits
from app.api.execution.cost import BUDGET, Cost, cost_of
from app.api.execution.http import Refused
from app.clock import HOUR

# Total characters of cached texts, least recently used dropped first: a syntax tree takes 150 times the memory of its text.
REMEMBERED: Final = 500_000
ERRORS_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Document:
    """A `refusal` of the request, or errors, or a valid `ast`; `costs`: those of operations that depend on no variable,
    with the hour for which they are valid, because a span without an end grows."""

    ast: DocumentNode = field(default_factory=DocumentNode)
    errors: tuple[GraphQLError, ...] = ()
    refusal: Refused | None = None
    costs: dict[str | None, tuple[int, Cost]] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Raises GraphQLError unless `name`, or its absence, picks exactly one operation."""
        operations = [item for item in self.ast.definitions if isinstance(item, OperationDefinitionNode)]
        chosen = [item for item in operations if name is None or (item.name and item.name.value == name)]
        if len(chosen) == 1:
            return chosen[0]
        raise GraphQLError(
            "There is no operation of this name." if name is not None else "Say which operation to run: operationName."
        )


class Documents:
    """Prepares the documents of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._remembered: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents")

    async def prepared(self, text: str) -> tuple[Document, float]:
        """The document, and the seconds of CPU time that preparing it took: 0 if it was cached.

        A new one is prepared in a thread, one at a time: it can take 20 ms, in which the event loop answers others.
        """
        if (known := self._remembered.get(text)) is not None:
            self._remembered.move_to_end(text)
            return known, 0.0
        document, seconds = await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, text)
        self._remember(text, document)
        return document, seconds

    def cost_of(self, document: Document, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Cost:
        """The fields that the operation touches and its cost. Raises GraphQLError for a cost above BUDGET.

        The cost is computed from coerced variables (`100.0` is the Int 100). Variables of wrong types are not refused here:
        the execution does that, before it resolves anything."""
        name = operation.name.value if operation.name else None
        hour = time.time_ns() // 1000 // HOUR
        kept, found = document.costs.get(name, (hour, None))
        if found is None or kept != hour:
            coerced = get_variable_values(
                self._schema, operation.variable_definitions or (), dict(variables), max_errors=ERRORS_TOLD, hide_suggestions=True
            )
            if isinstance(coerced, list):
                return cost_of(self._schema, document.ast, operation, None)
            found = cost_of(self._schema, document.ast, operation, coerced)
        if not found.variables:
            document.costs[name] = (hour, found)
        if found.cost > BUDGET:
            raise limits.too_much("Fields to resolve (lists multiply)", found.cost, BUDGET, operation)
        return found

    def prepare(self, text: str) -> Document:
        try:
            ast = parse(text, max_lexical_tokens=limits.TOKENS, max_comments=limits.COMMENTS)
            errors = limits.exceeded(ast) or self._validate(ast)
        except Refused as refusal:
            return Document(refusal=refusal)
        except GraphQLSyntaxError as error:
            return Document(errors=(error,))
        except RecursionError:
            return Document(errors=(GraphQLError("The document is nested too deeply."),))
        return Document(errors=tuple(errors[:ERRORS_TOLD])) if errors else Document(ast)

    def _timed(self, text: str) -> tuple[Document, float]:
        began = time.thread_time()
        return self.prepare(text), time.thread_time() - began

    def _remember(self, text: str, document: Document) -> None:
        # Two requests may have prepared it concurrently.
        if text not in self._remembered:
            self._characters += len(text)
        self._remembered[text] = document
        while self._characters > REMEMBERED:
            forgotten, _ = self._remembered.popitem(last=False)
            self._characters -= len(forgotten)

    def _validate(self, ast: DocumentNode) -> list[GraphQLError]:
        return validate(self._schema, ast, specified_rules, max_errors=ERRORS_TOLD, hide_suggestions=True)
