"""The stores and the queue that every process has, built once at its entry."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from common.beacons import Beacons
from common.beginnings import Beginnings
from common.catalogue import Catalogue
from common.disk import Disk
from common.images import ImageStore, open_store, query_folder
from common.job_store import JobStore
from common.pace import Pace
from common.queue import CeleryTaskQueue, TaskQueue, make_celery
from common.redis import ANSWER_TIMEOUT_S, Client, connect
from common.s3.sources import SourceBuckets
from common.settings import Settings


@dataclass(frozen=True)
class Services:
    """Everything but the vectors and the models, which belong to workers."""

    settings: Settings
    redis: Client
    celery: Celery
    images: ImageStore
    catalogue: Catalogue
    jobs: JobStore
    queue: TaskQueue
    beacons: Beacons
    pace: Pace
    disk: Disk
    beginnings: Beginnings
    sources: SourceBuckets

    @classmethod
    def build(cls, settings: Settings, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> Services:
        """Connect everything; nothing is sent yet. Redis may take `answer_timeout_s` to answer."""
        redis = connect(settings.redis_url, answer_timeout_s=answer_timeout_s)
        celery = make_celery(settings)
        images = open_store(settings, redis)
        return Services(
            settings=settings,
            redis=redis,
            celery=celery,
            images=images,
            catalogue=Catalogue(redis),
            jobs=JobStore(
                redis,
                url=settings.redis_url,
                ttl_s=settings.job_ttl_s,
                forget=lambda job_id: images.delete_folder(query_folder(job_id)),
            ),
            queue=CeleryTaskQueue(celery, redis, max_queued_tasks=settings.max_queued_tasks),
            beacons=Beacons(redis),
            pace=Pace(redis),
            # What goes elsewhere fills no disk here.
            disk=Disk(settings.data_dir, settings.min_free_bytes if images.on_disk else 0),
            beginnings=Beginnings(redis),
            sources=SourceBuckets(settings),
        )
