"""`python -m worker index` and `python -m worker search`: one process of a role.

`python -m worker bulk on NAME`, `bulk off NAME`: whether a collection on a Qdrant server is
indexed while images come (`worker/bulk.py`).
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from functools import cache

from celery import Task
from celery.apps import worker as celery_worker
from celery.signals import setup_logging, task_postrun, task_prerun, worker_process_init

from common import log as logs
from common import tracing
from common.beats import beat_file
from common.deliveries import release_those_of_the_dead
from common.errors import NeedleError
from common.metrics import sharing
from common.metrics.exposing import expose
from common.metrics.gpu import Gpus
from common.queue import FETCH, INDEX, SEARCH, SEARCHES, STORE, UPKEEP, make_celery
from common.redis import connect
from common.settings import Settings
from common.webhooks import Calls
from worker import bulk, traces
from worker.abandoned import look_after
from worker.consuming import consume_in_a_child, consume_in_threads
from worker.context import (
    ANSWER_TIMEOUT_S,
    INDEX_ROLE,
    SEARCH_ROLE,
    Base,
    build_indexing,
    build_searching,
    searches_at_once,
)
from worker.leases import Leases
from worker.models.packs import check_pack
from worker.native.library import library
from worker.notifying import Notifier
from worker.searches import Turns
from worker.stalling import Patience, Watch, end_at_once
from worker.tasks import register_index, register_search
from worker.tending import Tender
from worker.upkeep.tasks import register_upkeep

log = logging.getLogger("worker")

LOAD_TIMEOUT_S = 900
"""How long a child may take to load its models (a download included) before it is replaced."""
STORE_THREADS = 2
FETCH_THREADS = 8
UPKEEP_THREADS = 1
MAX_CHILD_KIB = 8 * 1024 * 1024
"""A child that has grown beyond this is replaced after its task: memory creeps up."""


def main() -> int:
    """Run a worker until it is told to stop; 2 when a setting is wrong, 1 when it cannot start."""
    if sys.argv[1:2] == ["bulk"]:
        return bulk.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("role", choices=[INDEX_ROLE, SEARCH_ROLE])
    parser.add_argument("--name", help="what this one goes by among those of its role and folder")
    asked = parser.parse_args()
    role, name = asked.role, asked.name or asked.role
    # Read by OpenMP when torch is loaded, later: threads that wait by spinning make a process
    # beside another one slower by an order of magnitude.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        settings = Settings.from_env(os.environ)
        logs.configure(settings.log_level, settings.log_format, process=role)
        _log_as_we_do()
        if settings.metrics_port is not None:
            sharing.begin()
        tracing.check(settings)
        check_pack(settings)  # before anything is started that would have to end again
        library()
        return (_run_index if role == INDEX_ROLE else _run_search)(settings, name)
    except NeedleError as error:
        logging.basicConfig()
        log.error("%s", error.message)
        return error.exit_status


def _run_index(settings: Settings, name: str) -> int:
    """One child process loads the models: CUDA and torch do not survive a fork."""
    base = Base.build(settings)
    failed = multiprocessing.get_context("fork").Event()
    # The child builds its own connections: the parent's sockets must not be shared.
    pipeline = cache(lambda: build_indexing(Base.build(settings)))

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def load(**_: object) -> None:
        try:
            tracing.begin(settings, INDEX_ROLE)
            pipeline()
        except NeedleError as error:
            log.error("%s", error.message)
            failed.set()
            os.kill(os.getppid(), signal.SIGTERM)
            os._exit(1)

    register_index(base.celery, base, pipeline)
    base.celery.conf.worker_proc_alive_timeout = LOAD_TIMEOUT_S
    _take_up(base)
    # A child that loads its models has begun nothing, for as long as that takes.
    longest = max(LOAD_TIMEOUT_S, settings.longest_task_s)
    _expose(settings, INDEX_ROLE)
    _watch(base, name, {INDEX: Patience(busy_s=longest, idle_s=longest)})
    log.info("the index worker takes tasks")
    consume_in_a_child(base.celery, INDEX, INDEX_ROLE, settings.log_level, most_kib=MAX_CHILD_KIB)
    return 1 if failed.is_set() else 0


def _run_search(settings: Settings, name: str) -> int:
    """Threads share one encoder and, when embedded, the one process that owns the vectors."""
    tracing.begin(settings, SEARCH_ROLE)
    base = Base.build(settings)
    writer = base.writer()
    pipeline = build_searching(base, writer)
    tender = Tender(
        writer.store, writer.words, base.catalogue, base.jobs.list, settings.exact_below
    )
    tender.start()
    look_after(base)
    Notifier(base, Calls(base.redis)).start()
    settle()
    at_once = searches_at_once(settings)
    threads = {
        SEARCH: at_once,
        STORE: STORE_THREADS,
        FETCH: FETCH_THREADS,
        UPKEEP: UPKEEP_THREADS,
        SEARCHES: at_once,
    }
    turns = Turns(at_once)
    apps = {queue: make_celery(settings) for queue in threads}
    for app in apps.values():
        register_search(app, base, lambda: writer, lambda: pipeline, turns)
        register_upkeep(app, base, lambda: writer)
    _take_up(base)
    patience = Patience(busy_s=settings.longest_task_s)
    long = Patience(busy_s=math.inf)  # a task of upkeep may take hours
    _expose(settings, SEARCH_ROLE)
    _watch(base, name, {**dict.fromkeys(threads, patience), UPKEEP: long})
    log.info("the search worker takes tasks")
    consume_in_threads(apps, threads, SEARCH_ROLE, settings.log_level)
    tender.stop()
    writer.store.close()
    return 0


def _log_as_we_do() -> None:
    """Have Celery's lines in our form, and its task on every record that is made in one."""
    celery_worker.safe_say = logs.say  # "Warm shutdown": it would be no JSON

    @setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
    def leave_it(**_: object) -> None:
        """Set nothing up: who listens to this signal has done so."""

    @task_prerun.connect(weak=False)  # type: ignore[untyped-decorator]
    def begin(task_id: str, task: Task, kwargs: Mapping[str, object], **_: object) -> None:
        logs.begin_context(task=task.name, task_id=task_id)
        traces.begin(task, kwargs)

    @task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]
    def end(**_: object) -> None:
        traces.end()
        logs.begin_context()


def _expose(settings: Settings, role: str) -> None:
    gpus = Gpus.found() if settings.metrics_port is not None else None
    expose(settings, role, [gpus.text] if gpus else [])


def _watch(base: Base, name: str, queues: Mapping[str, Patience]) -> None:
    # Connections of their own, which no child inherits in the middle of an answer.
    redis = connect(base.settings.redis_url, answer_timeout_s=ANSWER_TIMEOUT_S)
    Watch(redis, queues, beat_file(base.settings.data_dir, name), end_at_once).start()
    longest_s = {queue: patience.busy_s for queue, patience in queues.items()}
    Leases(connect(base.settings.redis_url), longest_s, end_at_once).start()


def settle() -> None:
    """Leave what is loaded by now out of garbage collections.

    A full one looks at half a million objects of torch and its like, which takes 0.2 s (two cores),
    and one search in a hundred met it.
    """
    gc.collect()
    gc.freeze()


def _take_up(base: Base) -> None:
    """Take up at once what a worker left that died on this host."""
    released = release_those_of_the_dead(base.redis)
    if released:
        log.info("%d tasks that a former worker left are taken up again", released)


if __name__ == "__main__":
    sys.exit(main())
