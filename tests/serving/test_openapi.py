"""What the OpenAPI document says holds: schemathesis asks every operation well and badly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.running import Server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 25  # of each operation, well and badly


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_operation_answers_otherwise_than_documented(server: Server, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # it takes nothing that could be wrong
        statuses = asked(operation, mode)
        assert statuses and max(statuses) < 500, operation.label
        if mode is GenerationMode.POSITIVE and operation.path.startswith("/v1/predict/"):
            assert statuses[200], operation.label


def asked(operation: Any, mode: GenerationMode) -> Counter[int]:
    """How often an operation answered with which status; what is not documented fails in a check."""
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: Any) -> None:
        if str(case.headers.get("X-Timeout-Ms", "")).isdigit():
            case.headers["X-Timeout-Ms"] = "30000"  # one that is too short ends in 503, as it should
        statuses[case.call_and_validate(checks=CHECKS).status_code] += 1

    ask()
    return statuses
