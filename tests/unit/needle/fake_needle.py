"""A service in memory, that the client's tests talk to: it indexes, lists, finds and forgets."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx

from needle import Needle
from needle.ids import digest, image_id

Part = tuple[str, str | None, bytes]
HIT = {"box": [10, 10, 40, 30], "score": 0.91, "source": "tile"}


class FakeService:
    """Call it as an httpx transport's handler, from any thread.

    An image whose bytes begin with `bad` is no image. Jobs end when they are first asked for,
    unless `busy`. `uploads` are the names of the files of each request that was accepted, `objects`
    what is in buckets, by prefix.
    """

    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.uploads: list[list[str]] = []
        self.requests: list[httpx.Request] = []
        self.objects: dict[str, list[str]] = {}
        self.busy = False
        self.lists_jobs = False
        self.collections = ["default"]
        self.result: dict[str, Any] | None = None
        self.says: dict[str, Any] = {}
        self.verified: dict[str, Any] = {}
        self.ready: dict[str, Any] = {
            "status": "ready",
            "redis": True,
            "models": {"name": "mini", "encoder": "e"},
        }
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self._lock = threading.Lock()

    def needle(self, **options: Any) -> Needle:
        return Needle("http://needle:8080", transport=httpx.MockTransport(self), **options)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        early = self.before(request)
        if early is not None:
            return early
        with self._lock:
            self.requests.append(request)
            return self._answer(request)

    def asked(self, method: str, path: str) -> int:
        """Return how many requests matched a path's beginning."""
        return sum(r.method == method and r.url.path.startswith(path) for r in self.requests)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path.removeprefix("/api/v1")
        kind, _, rest = path.strip("/").partition("/")
        if (method, path) == ("POST", "/images"):
            return self._index(request)
        if (method, path) == ("GET", "/images") and "ids" in request.url.params:
            wanted = request.url.params["ids"].split(",")
            rows = [self.images[one] for one in wanted if one in self.images]
            return self._page("images", rows, request)
        if (method, path) == ("GET", "/images"):
            return self._page("images", list(reversed(self.images.values())), request)
        if (method, path) == ("POST", "/searches"):
            return self._searches(request)
        if (method, path) == ("POST", "/search"):
            return self._search()
        if path == "/readyz":
            return httpx.Response(200 if self.ready["status"] == "ready" else 503, json=self.ready)
        if kind == "collections" and rest and method == "DELETE":
            self.images.clear()
            return httpx.Response(202, json=self._new_job("delete", []))
        if kind == "collections" and rest.endswith("/verify"):
            report = {"collection": rest.partition("/")[0], **self.verified}
            return httpx.Response(202, json=self._new_job("verify", [], result=report))
        if path == "/collections":
            if method == "POST":
                name = json.loads(request.content)["name"]
                return httpx.Response(201, json={"name": name, "encoder": "e", "dim": 8})
            held = {"encoder": "e", "dim": 8, "images": len(self.images)}
            rows = [{"name": name, **held} for name in self.collections]
            return httpx.Response(200, json={"collections": rows})
        if path == "/objects":
            listed = self.objects.get(request.url.params["prefix"])
            if listed is None:
                return error(422, "fetch_failed")
            return self._page("objects", [{"url": url, "bytes": 9} for url in listed], request)
        if path == "/jobs" and self.lists_jobs:
            return self._page("jobs", list(reversed(self.jobs.values())), request)
        if kind == "jobs":
            return self._job(method, *rest.partition("/")[::2], request)
        if kind == "images" and method == "PATCH":
            if rest not in self.images:
                return error(404, "not_found")
            changes = json.loads(request.content)["metadata"]
            found = {**self.images[rest]["metadata"], **changes}
            kept = {key: value for key, value in found.items() if value is not None}
            self.images[rest] = {**self.images[rest], "metadata": kept}
            return httpx.Response(202, json=self._new_job("index", []))
        if kind == "images":
            return self._image(method, *rest.partition("/")[::2])
        return error(404, "not_found")

    def _index(self, request: httpx.Request) -> httpx.Response:
        if request.headers["content-type"].startswith("application/json"):
            body = json.loads(request.content)
            found = [(url, url.encode()) for url in body["urls"]]
        else:
            found = [(n or "", content) for _, n, content in parts(request) if n is not None]
        rows = [self._item(place, name, content) for place, (name, content) in enumerate(found)]
        faults = [
            {"name": row["name"], "message": "It is no image."} for row in rows if row["error"]
        ]
        if len(faults) == len(rows):
            return error(415, "invalid_image", items=faults)
        self.uploads.append([name for name, _ in found])
        return httpx.Response(202, json=self._new_job("index", rows))

    def _item(self, place: int, name: str, content: bytes) -> dict[str, Any]:
        row: dict[str, Any] = {"index": place, "name": name, "status": "queued", "error": None}
        if content.startswith(b"bad"):
            return row | {"status": "failed", "error": {"message": "It is no image."}}
        found = image_id(digest(content))
        self.files[found] = content
        return row | {"image_id": found}

    def _new_job(self, kind: str, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        job_id = f"{kind}-{len(self.jobs)}"
        progress = {"total": len(rows), "done": 0, "failed": 0}
        made = {"job_id": job_id, "kind": kind, "status": "queued", "progress": progress}
        self.jobs[job_id], self.items[job_id] = made | more, rows
        return self.jobs[job_id]

    def finish(self, job_id: str) -> None:
        """End a job: its images are indexed."""
        rows = self.items[job_id]
        for row in rows:
            if row["status"] == "queued" and self.jobs[job_id]["kind"] == "searches":
                row["status"] = "answered"
            elif row["status"] == "queued":
                known = row["image_id"] in self.images
                row["status"] = "unchanged" if known else "indexed"
                self.images[row["image_id"]] = self._record(row["image_id"], row["name"])
        failed = sum(row["status"] == "failed" for row in rows)
        progress = {"total": len(rows), "done": len(rows) - failed, "failed": failed}
        status = "partial" if failed else "succeeded"
        self.jobs[job_id] = self.jobs[job_id] | {"status": status, "progress": progress}

    @staticmethod
    def _record(found: str, name: str) -> dict[str, Any]:
        size = {"width": 400, "height": 300, "bytes": 9, "regions": 5}
        meta = {"shop": "Basel"}
        told = {"filename": name.rsplit("/", 1)[-1], "path": name, "paths": [name]}
        return {"image_id": found, **told, **size, "metadata": meta, "indexed_at": 1.5e9}

    def _job(self, method: str, job_id: str, what: str, request: httpx.Request) -> httpx.Response:
        if job_id not in self.jobs:
            return error(404, "not_found")
        if what == "continue":
            if self.jobs[job_id]["result"].get("verification", {}).get("complete", True):
                return error(409, "nothing_to_continue")
            self.result = {**self.jobs[job_id]["result"], "verification": {"complete": True}}
            return self._search()
        if what == "items":
            return self._page("items", self.items[job_id], request)
        if what == "results":
            found = self.result or {"found": False, "matches": []}
            rows = [
                row | {"result": found if row["status"] == "answered" else None}
                for row in self.items[job_id]
            ]
            return self._page("results", rows, request)
        if method == "DELETE":
            self.jobs[job_id] = self.jobs[job_id] | {"status": "cancelled"}
        if self.jobs[job_id]["status"] == "queued" and not self.busy:
            self.finish(job_id)
        return httpx.Response(200, json=self.jobs[job_id])

    def _image(self, method: str, found: str, what: str) -> httpx.Response:
        if found not in self.images:
            return error(404, "not_found")
        if method == "DELETE":
            del self.images[found]
            job = {"job_id": "d", "kind": "delete", "status": "succeeded"}
            return httpx.Response(200, json=job)
        if what == "file":
            return httpx.Response(
                200, content=self.files[found], headers={"content-type": "image/png"}
            )
        return httpx.Response(200, json=self.images[found] | {"regions": [{}] * 5})

    def _searches(self, request: httpx.Request) -> httpx.Response:
        if request.headers["content-type"].startswith("application/json"):
            queries = json.loads(request.content)["queries"]
            found = [(next(iter(query.values())), b"") for query in queries]
        else:
            found = [(n or "", content) for f, n, content in parts(request) if f == "files"]
        rows = [self._item(place, name, content) for place, (name, content) in enumerate(found)]
        faults = [{"name": row["name"], **row["error"]} for row in rows if row["error"]]
        if len(faults) == len(rows):
            return error(415, "invalid_image", items=faults)
        self.uploads.append([name for name, _ in found])
        return httpx.Response(202, json=self._new_job("searches", rows))

    def _search(self) -> httpx.Response:
        matches = [
            {**image, "score": 0.91, "hits": [HIT, HIT | {"score": 0.5}]}
            for image in self.images.values()
        ]
        plain = {"matches": matches, "timings_ms": {"total": 5.0}, "index": {}, **self.says}
        result = self.result or plain
        job = self._new_job("search", [], result=result) | {"status": "succeeded"}
        self.jobs[job["job_id"]] = job
        return httpx.Response(200, json=job)

    @staticmethod
    def _page(key: str, rows: list[Any], request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        first, limit = int(asked.get("offset", 0)), int(asked.get("limit", 100))
        body = {key: rows[first : first + limit], "total": len(rows)}
        return httpx.Response(200, json=body)


def error(status: int, code: str, **details: Any) -> httpx.Response:
    body = {"error": {"code": code, "message": f"It is {code}.", **details}}
    return httpx.Response(status, json=body)


def parts(request: httpx.Request) -> list[Part]:
    """Return the parts of a multipart request: (field, file name, content)."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    found = []
    for part in request.content.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb' name="([^"]*)"(?:; filename="([^"]*)")?', head)
        assert name
        field, file = name.groups()
        found.append((field.decode(), file.decode() if file else None, content[:-2]))
    return found
