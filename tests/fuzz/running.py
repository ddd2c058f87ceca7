"""One run: inputs of every kind in turn, and whether the service kept its promises."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from machine.stack import Stack
from tests.fuzz import inputs, state
from tests.fuzz.generated import generated
from tests.fuzz.inputs import Input
from tests.fuzz.odd import Odd
from tests.fuzz.sending import HANGS_S, Answered, sent

SHARES = {"picture": 0.42, "archive": 0.13, "request": 0.13, "wire": 0.04}
"""Of all inputs; every fifth picture is a query. What is left is schemathesis's."""
WARM = 0.1
"""So much of a run goes before memory is counted: libraries are loaded, buffers are made."""
GROWTH_MIB = 96


@dataclass
class Report:
    """What was tried, and what was found."""

    answers: dict[str, list[Answered]] = field(default_factory=lambda: defaultdict(list))
    before_mib: Mapping[str, float] = field(default_factory=dict)
    after_mib: Mapping[str, float] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many inputs there were."""
        return sum(map(len, self.answers.values()))


def run(
    stack: Stack,
    count: int,
    seed: int,
    *,
    described: bool = True,
    on: Callable[[int], None] = lambda _: None,
) -> Report:
    """Send so many inputs to a service that is ready, and report.

    Without those that schemathesis makes where it is not `described`: they are some thousands.
    """
    report = Report()
    with httpx.Client(base_url=stack.base_url, timeout=HANGS_S) as client:
        state.fill(client)
        before = state.kept(client)
        known = {str(job["job_id"]) for job in state.ended(client)}
        document = client.get("/openapi.json").json()
        image_id = before["list"][0]["image_id"]
        ids = {"image_id": image_id, "name": state.KEPT, "job_id": min(known), "number": "0"}
        every = mixed(Odd(document, ids), count, seed)
        rest = count - sum(int(count * share) for share in SHARES.values())
        asked = sent(stack.base_url, every)
        more = generated(stack.base_url, document, rest, seed) if described else ()
        for answered in itertools.chain(asked, more):
            report.answers[answered.given.kind].append(answered)
            if report.tried >= count * WARM and not report.before_mib:
                report.before_mib = state.memory_mib(stack)
            on(report.tried)
        _judge(report, stack, client, before, known)
    return report


def mixed(odd: Odd, count: int, seed: int) -> Iterator[Input]:
    """Yield the inputs of every kind that is made here, evenly mixed."""
    kinds: dict[str, Callable[[int, int], Input]] = {
        "picture": inputs.picture,
        "archive": inputs.archive,
        "request": odd.request,
        "wire": inputs.wire,
    }
    many = {kind: int(count * share) for kind, share in SHARES.items()}
    places = sorted((n / many[kind], kind, n) for kind in kinds for n in range(many[kind]))
    return (kinds[kind](seed, number) for _, kind, number in places)


def _judge(
    report: Report,
    stack: Stack,
    client: httpx.Client,
    before: Mapping[str, object],
    known: set[str],
) -> None:
    """Note every promise that was not kept."""
    faults = report.faults
    for answered in itertools.chain.from_iterable(report.answers.values()):
        if answered.unsound:
            faults.append(f"{answered.given.name}: answered with {answered.status} {answered.code}")
    jobs = state.ended(client)
    report.late = state.failures(client, jobs)
    begun = {a.job_id for many in report.answers.values() for a in many if a.job_id}
    unasked = {job["job_id"] for job in jobs} - known - begun
    if unasked:
        faults.append(f"{len(unasked)} jobs that no accepted input began, as {min(unasked)}")
    if "internal" in report.late:
        faults.append(f"{report.late['internal']} jobs or items failed with `internal`")
    if state.kept(client) != before:
        faults.append("the images that were there are not as they were")
    for collection in (state.KEPT, inputs.POSTED):
        faults += state.damage(client, collection)
    report.after_mib = state.memory_mib(stack)
    grown = report.after_mib["web"] - report.before_mib["web"]
    if grown > GROWTH_MIB:
        faults.append(f"the web server grew by {grown:.0f} MiB")
    faults += [f"{child.name} has died" for child in stack.children if not child.running]


def keep(report: Report, folder: Path) -> None:
    """Write each input that found a hole into a folder, under its name."""
    for answered in itertools.chain.from_iterable(report.answers.values()):
        if answered.unsound:
            folder.mkdir(parents=True, exist_ok=True)
            given = answered.given
            content = given.wire
            for _, (_, file) in given.options.get("files", ()):
                content = file
            (folder / given.name.replace(":", "-")).write_bytes(content or repr(given).encode())
