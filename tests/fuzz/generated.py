"""What schemathesis makes of the interface's description, sent to the service that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from tests.fuzz.inputs import Input
from tests.fuzz.sending import Answered

LEFT_OUT = ("/api/v1/backups", "/api/v1/collections/{name}")
"""Each request that is right would copy everything, or might remove what is to stay."""
SENT = 3
"""About so many requests come of each example, beside some eighty a call that are always made."""


def generated(
    base_url: str, document: Mapping[str, Any], count: int, seed: int
) -> Iterator[Answered]:
    """Yield about `count` answers; one that the description does not allow counts as a 500."""
    calls = sum(map(len, document["paths"].values()))
    config = schemathesis.Config.from_str(f"""
        seed = {seed}
        request-timeout = 60
        [generation]
        max-examples = {max(1, count // (SENT * calls))}
        deterministic = true
        database = "none"
        [phases.stateful]
        enabled = false
        [checks]
        positive_data_acceptance.enabled = false
        negative_data_rejection.enabled = false
        use_after_free.enabled = false
        ensure_resource_availability.enabled = false
    """)
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json", config=config)
    schema = schema.exclude(path=list(LEFT_OUT))
    number = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            yield Answered(Input("schemathesis", number), 599, str(event), "", 0.0)
        elif isinstance(event, events.ScenarioFinished):
            for name, interaction in event.recorder.interactions.items():
                number += 1
                wrong = [
                    f"{check.name}: {check.failure_info.failure}"
                    for check in event.recorder.checks.get(name, ())
                    if check.failure_info is not None
                ]
                yield _answered(number, event.recorder.label, interaction, wrong)


def _answered(number: int, label: str, interaction: Any, wrong: list[str]) -> Answered:
    response = interaction.response
    given = Input("schemathesis", number, path=label, wire=repr(interaction.request).encode())
    if response is None:
        return Answered(given, -1, "no answer", "", 60.0)
    job_id = ""
    if response.status_code in (200, 202):
        try:
            said = response.json()
        except ValueError:
            said = None
        job_id = str(said.get("job_id") or "") if isinstance(said, dict) else ""
    status = 599 if wrong else response.status_code
    return Answered(given, status, "; ".join(wrong), job_id, response.elapsed)
