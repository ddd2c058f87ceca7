"""Looking after the service: is what it keeps whole, what is repaired, and a copy of all of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from needle import calls
from needle.exchange import Service
from needle.jobs import Job
from needle.operations import OnJob, wait
from needle.steps import PREFIX, Call, Steps

DEFAULT_COLLECTION = "default"


@dataclass(frozen=True)
class Verified:
    """How the list of a collection agrees with its files, points and visual words.

    `repair` says whether that was to be repaired, `repaired` is the job that indexed damaged images
    again, as it ended. docs/OPERATIONS.md explains the other fields.
    """

    collection: str
    images: int = 0
    whole: int = 0
    waiting: int = 0
    damaged: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    orphaned: int = 0
    stray_points: int = 0
    damaged_images: Sequence[Mapping[str, Any]] = ()
    orphaned_images: Sequence[Mapping[str, Any]] = ()
    beyond_repair: Sequence[str] = ()
    removed: int = 0
    repair_job: str | None = None
    note: str | None = None
    repair: bool = False
    repaired: Job | None = None

    @property
    def sound(self) -> bool:
        """Tell whether nothing was missing, and nothing there that belongs to no image."""
        return not (self.damaged or self.orphaned or self.stray_points)

    @property
    def good(self) -> bool:
        """Tell whether it is sound, or everything that was wrong has been repaired."""
        indexed = not self.damaged or (self.repaired and self.repaired.status == "succeeded")
        return self.sound or bool(
            self.repair and indexed and not self.beyond_repair and self.note is None
        )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Verified:
        """Read the JSON form."""
        names = {one.name for one in dataclasses.fields(cls)} - {"repair", "repaired"}
        return cls(**{name: raw[name] for name in names if name in raw})


def verify(
    service: Service,
    collection: str = DEFAULT_COLLECTION,
    *,
    repair: bool = False,
    on_progress: OnJob | None = None,
) -> Steps[Verified]:
    """Verify that nothing of a collection is missing, and that nothing is there that should not be.

    With `repair`, damaged images are indexed again and what belongs to no image is removed;
    `on_progress` gets the state of the job that verifies, then that of the one that repairs.
    Raises JobFailed when the service could not carry it out.
    """
    path = f"{calls.collection('POST', collection).path}/verify"
    begun = yield from service.read(Call("POST", path, body={"repair": repair}), Job.from_json)
    done = yield from wait(service, begun, on_progress=on_progress)
    result = calls.check(done).result or {"collection": collection}
    found = dataclasses.replace(Verified.from_json(result), repair=repair)
    if found.repair_job is None:
        return found
    repaired = yield from wait(
        service, Job(found.repair_job, "index", "queued"), on_progress=on_progress
    )
    return dataclasses.replace(found, repaired=repaired)


def reindex(
    service: Service,
    collection: str = DEFAULT_COLLECTION,
    *,
    profile: str | None = None,
    confidence_threshold: float | None = None,
    batch_size: int | None = None,
    local_features: int | None = None,
) -> Steps[Job]:
    """Have a whole collection indexed again by the models in use; return the job at once.

    The images come from the service's own files and keep their ids, names and metadata. By another
    encoder than before, a search finds only what is done until the job has ended.
    """
    path = f"{calls.collection('POST', collection).path}/reindex"
    body = calls.given(
        profile=profile,
        confidence_threshold=confidence_threshold,
        batch_size=batch_size,
        local_features=local_features,
    )
    return (yield from service.read(Call("POST", path, body=body), Job.from_json))


def backup(
    service: Service, target: Path | str, *, on_progress: OnJob | None = None
) -> Steps[dict[str, Any]]:
    """Write everything that the service keeps, but its keys, into a tar file.

    The file is there once it is whole, for its owner alone. Returns what is in it: `images`,
    `collections`, `has_vectors`. Raises JobFailed when the service could not make the backup.
    """
    path = Path(target)
    begun = yield from service.read(Call("POST", f"{PREFIX}/backups"), Job.from_json)
    done = calls.check((yield from wait(service, begun, on_progress=on_progress)))
    made = f"{PREFIX}/backups/{calls.ids(done)[0]}"
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=0o600)
    try:
        yield from service.send(Call("GET", made, into=part))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    yield from service.send(Call("DELETE", made))
    return dict(done.result or {})
