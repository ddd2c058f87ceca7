"""A stand-in for the service that the client talks to, and the answers it gives."""

from __future__ import annotations

import re
from typing import Any

import httpx

from needle import Needle


def job(job_id: str = "j1", status: str = "succeeded", **more: Any) -> dict[str, Any]:
    progress = {"total": 2, "done": 2, "failed": 0, "rate_per_s": 4.0, "eta_s": 0.0}
    return {"job_id": job_id, "kind": "index", "status": status, "progress": progress, **more}


class Service:
    """Answers from a script and keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def needle(self, **options: Any) -> Needle:
        return Needle(
            "http://needle:8080/",
            transport=httpx.MockTransport(self),
            sleep=self.pauses.append,
            **options,
        )


def ok(body: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def refused(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    error = {"code": code, "message": f"It is {code}.", "fields": ["a"]}
    return httpx.Response(status, json={"error": error}, headers=headers)


def fields(request: httpx.Request) -> dict[str, str]:
    """Return the parts of a multipart request: name -> content, files as name/filename."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    found = {}
    for part in request.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]*)"(?:; filename="([^"]*)")?', head)
        assert name
        found["/".join(n.decode() for n in name.groups() if n)] = content.decode()
    return found
