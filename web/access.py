"""Who asks, whether they may, how often, and what they changed.

A key comes as `Authorization: Bearer KEY`; the page keeps it in a cookie that no script can read
and no other site can have sent. Health, and the page itself, need none.
"""

from __future__ import annotations

import ipaddress
import logging
import sys

from flask import Blueprint, Flask, Response, current_app, g, request

from common.errors import BadRequest, Forbidden, KeyNeeded
from common.keys import Key, Keys, Scope
from common.redis import Client
from common.settings import Settings
from web import rates
from web.guard import CHANGING
from web.links import PREFIX

audit = logging.getLogger("needle.audit")
routes = Blueprint("access", __name__)
COOKIE = "needle_key"
HEALTH = frozenset({"/livez", "/readyz"})
OPEN = HEALTH | frozenset({"/", "/docs", "/openapi.json", "/session"})
COOKIE_S = 365 * 86_400


def required(settings: Settings) -> bool:
    """Tell whether the settings want keys whether there are any or not."""
    beyond = not _is_loopback(settings.host)
    return settings.keys == "required" or (settings.keys == "auto" and beyond)


def check_start(settings: Settings) -> None:
    """Raise KeyNeeded where the service would be open to others than this machine."""
    if required(settings) and not Keys(settings.data_dir).every():
        raise KeyNeeded(
            f"The service would listen on {settings.host}, where others reach it, and there is no "
            "key yet. Make one: needle keys make NAME --scope admin (or: "
            f"{sys.executable} -m web keys make NAME --scope admin). "
            "NEEDLE_KEYS=off lets everybody in."
        )


def install(app: Flask, settings: Settings, redis: Client) -> None:
    """Check who sends each request, and note what was changed."""
    keys, always = Keys(settings.data_dir), required(settings)
    app.extensions["needle.keys"] = keys
    app.register_blueprint(routes)

    @app.before_request
    def identify() -> None:
        g.key = None
        g.wanted = settings.keys != "off" and (always or bool(keys.every()))
        given = given_key()
        g.found = keys.find(given) if given else None
        g.may_read = not g.wanted or g.found is not None  # every scope may

    # Before keys are refused: whoever guesses is slowed down, too.
    rates.install(app, redis, settings.rate_per_minute, _caller, _is_free)

    @app.before_request
    def check() -> None:
        if g.wanted and request.path not in OPEN and not request.path.startswith("/static/"):
            g.key = _checked(g.found, given_key() is not None)

    @app.after_request
    def note(response: Response) -> Response:
        if request.method in CHANGING and request.path.startswith(PREFIX):
            audit.info(
                "%s from %s: %s %s -> %d %s",
                _who(), request.remote_addr, request.method, request.path,
                response.status_code, response.headers.get("Location", ""),
            )  # fmt: skip
        return response


@routes.post("/session")
def begin() -> Response:
    """Keep the key of the page in a cookie; 401 for one that is none."""
    keys: Keys = current_app.extensions["needle.keys"]
    text = request.form.get("key", "")
    if not text:
        raise BadRequest("The key goes into the form field 'key'.")
    _checked(keys.find(text), given=True, needed=Scope.READ)
    response = Response(status=204)
    response.set_cookie(
        COOKIE, text, max_age=COOKIE_S, httponly=True, samesite="Strict", secure=request.is_secure
    )
    return response


@routes.delete("/session")
def end() -> Response:
    """Forget the key of the page."""
    response = Response(status=204)
    response.delete_cookie(COOKIE)
    return response


def may_read() -> bool:
    """Tell whether who asks may read what the service holds: health answers others, too."""
    return bool(g.may_read)


def given_key() -> str | None:
    """Return the key that came with the request."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else request.cookies.get(COOKIE)


def key_id() -> str | None:
    """Return the id of the key of the request; None where it came without one."""
    key: Key | None = g.get("key")
    return key.key_id if key else None


def needed_scope(method: str, path: str) -> Scope:
    """Return the scope that a call needs."""
    if path.startswith(f"{PREFIX}/backups"):  # everything is in one
        return Scope.ADMIN
    if path == f"{PREFIX}/objects":  # for those who index from there
        return Scope.WRITE
    searches = path in (f"{PREFIX}/search", f"{PREFIX}/searches") or (
        method == "POST" and path.endswith("/continue")
    )
    if method == "DELETE" and path.startswith(f"{PREFIX}/jobs/"):
        return Scope.READ  # for searches; `web.jobs` asks for more where it is another job
    if method not in CHANGING or searches:
        return Scope.READ
    return Scope.ADMIN if path.startswith(f"{PREFIX}/collections") else Scope.WRITE


def check_scope(needed: Scope) -> None:
    """Raise Forbidden where the key of the request is of a smaller scope."""
    if g.key is not None:
        _checked(g.key, given=True, needed=needed)


def _checked(key: Key | None, given: bool, needed: Scope | None = None) -> Key:
    if key is None:
        said = "This key is not known here." if given else "This service wants a key."
        raise KeyNeeded(f"{said} It goes into the header 'Authorization: Bearer KEY'.")
    needed = needed or needed_scope(request.method, request.path)
    if not key.scope.covers(needed):
        raise Forbidden(f"The key '{key.name}' may {key.scope}; this needs one that may {needed}.")
    return key


def _caller() -> str:
    """Return what a request is counted under."""
    key: Key | None = g.found
    return f"key:{key.key_id}" if key else f"from:{rates.network(request.remote_addr or '')}"


def _is_free() -> bool:
    """Tell whether a request is not counted: health, and this machine where no key is wanted."""
    own = request.remote_addr is None or _is_loopback(request.remote_addr)
    return request.path in HEALTH or (not g.wanted and own)


def _who() -> str:
    key: Key | None = g.get("key")
    return f"{key.name} ({key.key_id})" if key else "somebody without a key"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
