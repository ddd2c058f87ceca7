"""What bad input must leave as it is: images that were there, the list of jobs, memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from machine.stack import Stack
from tests.unit.test_pictures_formats import encoded, scene

KEPT = "kept"
END_S = 1200.0


def fill(client: httpx.Client) -> None:
    """Index three images that are to stay as they are."""
    images = [scene((160, 120)).rotate(90 * turn, expand=True) for turn in range(3)]
    files = [("files", (f"{n}.png", encoded(image, "PNG"))) for n, image in enumerate(images)]
    client.post("/api/v1/images", files=files, data={"collection": KEPT}).raise_for_status()
    ended(client)


def kept(client: httpx.Client) -> Mapping[str, Any]:
    """Return all that can be seen of those images: list, files, regions, and what is found."""
    listed = client.get("/api/v1/images", params={"collection": KEPT}).json()["images"]
    where = {"collection": KEPT}
    seen: dict[str, Any] = {"list": listed}
    for image in listed:
        path = f"/api/v1/images/{image['image_id']}"
        seen[path] = client.get(path, params=where).json()
        seen[path + "/file"] = client.get(path + "/file", params=where).content
    query = {"collection": KEPT, "image_id": listed[0]["image_id"], "wait": 60}
    query |= {"verify_budget_ms": 60_000}
    found = client.post("/api/v1/search", json=query).json()["result"]["matches"]
    seen["found"] = [(match["image_id"], round(match["score"], 4)) for match in found]
    return seen


def ended(client: httpx.Client) -> list[dict[str, Any]]:
    """Wait until every job has ended and return them. Raises TimeoutError."""
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        jobs: list[dict[str, Any]] = []
        path = "/api/v1/jobs?limit=1000"
        while path:
            page = client.get(path).raise_for_status().json()
            jobs += page["jobs"]
            path = page["next"]
        if all(job["finished_at"] for job in jobs):
            return jobs
        time.sleep(0.5)
    raise TimeoutError(f"jobs have not ended after {END_S:.0f} s")


def failures(client: httpx.Client, jobs: list[dict[str, Any]]) -> Counter[str]:
    """Return the codes by which jobs and their items failed."""
    found: Counter[str] = Counter()
    for job in jobs:
        if job["error"]:
            found[job["error"]["code"]] += 1
        elif job["progress"]["failed"]:
            items = client.get(f"/api/v1/jobs/{job['job_id']}/items?limit=1000").json()["items"]
            found.update(item["error"]["code"] for item in items if item["error"])
    return found


def damage(client: httpx.Client, collection: str) -> list[str]:
    """Return what `verify` finds wrong with a collection."""
    job_id = client.post(f"/api/v1/collections/{collection}/verify", json={}).json()["job_id"]
    ended(client)
    found = client.get(f"/api/v1/jobs/{job_id}").json()["result"]
    wrong = ("damaged", "orphaned", "stray_points")
    return [f"{collection}: {found[name]} {name}" for name in wrong if found[name]]


def memory_mib(stack: Stack) -> dict[str, float]:
    """Return the resident memory of each part of the service, its children too."""
    groups = {child.pid: child.name for child in stack.children}
    found = dict.fromkeys(groups.values(), 0.0)
    for path in Path("/proc").glob("[0-9]*"):
        try:
            group = int((path / "stat").read_text().rsplit(")", 1)[1].split()[2])
            status = (path / "status").read_text()
        except OSError:  # it has ended meanwhile
            continue
        if group in groups:
            lines = (line for line in status.splitlines() if line.startswith("VmRSS"))
            found[groups[group]] += sum(int(line.split()[1]) for line in lines) / 1024
    return found
