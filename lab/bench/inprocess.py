"""Needle in one process: the index pipeline called directly, writing into a store of its own.

Run by `lab.bench.children`, with NEEDLE_REDIS_URL and NEEDLE_DATA_DIR in its environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import worker  # noqa: F401  # before numpy: it sets how many threads that multiplies in
from common import pictures
from common.catalogue import ImageRecord
from common.contract.orders import IndexOrder
from common.ids import image_id
from common.images import image_key
from common.jobs import Item, Kind
from common.settings import Settings
from lab.bench.children import answer
from lab.bench.clock import Clock, now, since
from lab.bench.figures import Spent
from lab.bench.forwards import Forwards
from worker.context import Base, build_indexing
from worker.indexing.pipeline import IndexPipeline
from worker.tasks import run_index

STAGES = {
    "worker.indexing.loading:Loader.find": "records",
    "worker.indexing.loading:Loader.load": "decode, thumbnail",
    "worker.indexing.describing:Describer.described": "local features, words",
    "worker.indexing.seeing:CropSeer.see": "detector, regions",
    "worker.indexing.seeing:embedded": "crops, encoder",
    "worker.indexing.seeing:DenseSeer.see": "scales, boxes, regions",
    "worker.models.onepass.onnx_engine:OnnxEngine.see": "network",
    "worker.models.onepass.onnx_engine:OnnxEngine.deep": "network",
    "worker.models.onepass.onnx_engine:OnnxEngine.things": "heads of regions",
    "worker.models.onepass.onnx_engine:OnnxEngine.kinds": "heads of regions",
    "worker.models.onepass.torch_engine:TorchEngine.see": "network",
    "worker.models.onepass.torch_engine:TorchEngine.deep": "network",
    "worker.models.onepass.torch_engine:TorchEngine.things": "heads of regions",
    "worker.models.onepass.torch_engine:TorchEngine.kinds": "heads of regions",
    "worker.indexing.pipeline:gathered": "points",
    "worker.indexing.committing:Writer.commit": "commit",
}
"""What is timed, by where it is: `tests/unit/lab/bench` fails when one of them moves.

Those of modules that the pack does not load are left out.
"""
PATIENCE_S = 86_400
"""Of a task: what is not begun in half of it goes back to a queue, from which nobody takes here."""


class Needle:
    """The index role of a worker, with the vectors in its own hands."""

    def __init__(self, settings: Settings) -> None:
        self.base = Base.build(settings)
        self.writer = self.base.writer()
        self.pipeline: IndexPipeline = replace(build_indexing(self.base), committer=self.writer)
        self._jobs = 0

    def post(self, paths: Sequence[str], collection: str, profile: str) -> str:
        """Do what web does with posted photos; return the job's id."""
        items = []
        for number, path in enumerate(paths):
            content = Path(path).read_bytes()
            name = image_id(content, collection)
            header = pictures.inspect(content, max_pixels=self.base.settings.max_image_pixels)
            self.base.images.put(image_key(collection, name), content)
            size = header.width, header.height
            record = ImageRecord(
                name, collection, Path(path).name, header.media_type, *size, len(content), {}
            )
            self.base.catalogue.add([record])
            items.append(Item(number, Path(path).name, name))
        self._jobs += 1
        job_id = f"bench-{self._jobs}"
        order = IndexOrder.model_validate({"collection": collection, "profile": profile})
        self.base.jobs.create(job_id, Kind.INDEX, items, order.details())
        return job_id

    def index(self, job_id: str, photos: int) -> Spent:
        """Run the tasks of the job, chunk by chunk as the queue would hand them out.

        Raises RuntimeError where a photo was not indexed.
        """
        chunk, started = self.base.settings.chunk_size, now()
        for first in range(0, photos, chunk):
            indexes = range(first, min(photos, first + chunk))
            run_index(self.base, self.pipeline, job_id, indexes)
        spent = since(started)
        job = self.base.jobs.get(job_id)
        if job.done != photos:
            raise RuntimeError(f"{photos - job.done} of {photos} photos were not indexed")
        return spent


def measure(order: Mapping[str, Any]) -> dict[str, Any]:
    """Index each sample with each profile; with one of them stage by stage, and the limit."""
    settings = Settings.from_env({**os.environ, "NEEDLE_TASK_TIME_LIMIT_S": str(PATIENCE_S)})
    started = now()
    needle = Needle(settings)
    loaded = since(started)
    runs = []
    for size, paths in order["samples"].items():
        for profile in order["profiles"]:
            name = f"{size}-{profile}"
            needle.index(needle.post(paths[:1], f"warm-{name}", profile), 1)
            spent = needle.index(needle.post(paths, name, profile), len(paths))
            found: dict[str, Any] = {"size": size, "profile": profile, "spent": asdict(spent)}
            if profile == order["stages_of"]:
                found |= stage_by_stage(needle, paths, f"stages-{name}", profile)
            runs.append(found)
    return {"runs": runs, "loading": asdict(loaded)}


def stage_by_stage(
    needle: Needle, paths: Sequence[str], collection: str, profile: str
) -> dict[str, Any]:
    """Index again, one stage at a time, and then make the forward passes of that alone."""
    clock, forwards = Clock(), Forwards()
    job_id = needle.post(paths, collection, profile)
    loaded = {where: stage for where, stage in STAGES.items() if where.split(":")[0] in sys.modules}
    with clock.watching(loaded), forwards.watching():
        whole = needle.index(job_id, len(paths))
    limit = forwards.replay()
    return {
        "whole": asdict(whole),
        "laps": clock.as_json(),
        "limit": asdict(limit),
        "forward_passes": len(forwards.calls),
    }


if __name__ == "__main__":
    answer(measure)
