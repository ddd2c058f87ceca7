"""Traces are an option: without it nothing is imported, with it the packages have to be there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from common import tracing
from common.errors import InvalidSettings
from common.settings import Settings

ENDPOINT = {"NEEDLE_TRACES_ENDPOINT": "http://127.0.0.1:4318"}


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    code = (
        "import sys, web.app, worker.tasks, worker.traces; from common import tracing;"
        "from common.settings import Settings; tracing.begin(Settings.from_env({}), 'web');"
        "tracing.note(a=1); tracing.past('x', 1); assert tracing.carried() == {};"
        # Where it is installed, the client of Redis looks at other parts of it.
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_traces_without_their_packages_are_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidSettings, match=r"opentelemetry\.in"):
        tracing.check(Settings.from_env(ENDPOINT))
    tracing.check(Settings.from_env({}))


def test_what_is_traced_of_a_task_is_let_go_of_whatever_happened() -> None:
    with pytest.raises(RuntimeError, match="in it"), tracing.span("a", {}, job_id="j"):
        raise RuntimeError("in it")
