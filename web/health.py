"""Health: is the process alive, is the service ready, what is it made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flask import Blueprint, Response

from common.contract import answers
from common.disk import Use
from common.errors import BrokerUnavailable, DiskFull, EncoderMismatch, IndexUnreadable, NeedleError
from common.queue import QUEUES
from common.redis import translated
from common.services import Services
from web.access import may_read
from web.operation import Answer, operation
from web.responses import respond
from web.services import services

routes = Blueprint("health", __name__)
ROLES = ("index", "search")


@routes.get("/livez")
@operation("service", {200: Answer(answers.Alive)})
def livez() -> Response:
    """Tell that the process answers."""
    return respond(answers.Alive(status="alive"))


@routes.get("/readyz")
@operation("service", {200: Answer(answers.Readiness), 503: Answer(answers.Readiness)})
def readyz() -> Response:
    """Tell whether Redis and a worker of each kind are there (else 503), and which models run.

    It needs no key. Where the service wants keys, collections are named to a caller with one alone.
    """
    s = services()
    try:
        live = s.beacons.live()
        with translated():
            waiting = {name: s.redis.llen(name) for name in QUEUES}
        models = s.beacons.models()
        aside, bulk = s.catalogue.aside(), s.catalogue.in_bulk_mode()
    except BrokerUnavailable as error:
        problem = answers.Problem.model_validate(error.as_dict())
        return respond(answers.Readiness(status="unavailable", redis=False, error=problem), 503)
    workers = {role: sum(beacon.role == role for beacon in live) for role in ROLES}
    encoders = sorted({str(beacon.models["encoder"]) for beacon in live})
    ready = all(workers.values()) and len(encoders) == 1
    status: Literal["ready", "starting", "unavailable"] = "ready" if ready else "starting"
    more = {}
    if len(encoders) > 1:
        fault = EncoderMismatch(f"The workers have different encoders: {' and '.join(encoders)}.")
        status, more = "unavailable", {"error": answers.Problem.model_validate(fault.as_dict())}
    state = answers.Readiness(
        status=status,
        redis=True,
        workers=workers,
        queues=waiting,
        models=None if models is None else answers.Models.model_validate(models),
        bulk=bulk if may_read() else [],
        bulk_count=len(bulk),
        problems=_problems(s, aside),
        **more,
    )
    return respond(state, 200 if ready else 503)


def _problems(s: Services, aside: Sequence[str]) -> list[answers.Problem]:
    """Return what the service works in spite of."""
    faults: list[NeedleError] = []
    if aside:
        named = f": {', '.join(aside)}" if may_read() else ""  # by collection
        faults.append(
            IndexUnreadable(
                f"{len(aside)} parts of the index could not be opened and were set aside in the "
                f"data folder{named}. Their collections are searched without them; "
                "post their images again, then remove what was set aside."
            )
        )
    try:
        s.disk.check(Use.ACCEPT)
    except DiskFull as fault:
        faults.append(fault)
    return [answers.Problem.model_validate(fault.as_dict()) for fault in faults]
