"""The Flask application."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect

from common.services import Services
from common.settings import Settings
from web import (
    access,
    backups,
    collections,
    continuing,
    docs,
    errors,
    guard,
    health,
    image_files,
    images,
    jobs,
    measuring,
    objects,
    page,
    query_files,
    requests,
    search,
    search_results,
    searches,
    waiting,
)
from web.links import PREFIX

MAX_FORM_BYTES = 1_000_000


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Return the application; `services` are built from the settings unless given."""
    app = Flask("needle", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_BYTES
    app.config["MAX_FORM_PARTS"] = settings.max_items_per_job + 100
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["needle"] = services or Services.build(settings)
    for api in (
        images, image_files, search, searches, search_results, continuing, query_files, jobs,
        collections, backups, objects,
    ):  # fmt: skip
        app.register_blueprint(api.routes, url_prefix=PREFIX)
    app.register_blueprint(health.routes)
    app.register_blueprint(docs.routes)
    app.register_blueprint(page.routes)
    app.before_request(never_redirect)
    errors.install(app)
    requests.install(app)
    measuring.install(app)
    waiting.install(app)
    guard.install(app, settings)
    access.install(app, settings, app.extensions["needle"].redis)
    return app


def never_redirect() -> None:
    """Answer a path that is nearly a route's as an unknown one.

    A redirect to the route would repeat the Host that it was asked for, in HTML.
    """
    if isinstance(request.routing_exception, RequestRedirect):
        request.routing_exception = NotFound()
