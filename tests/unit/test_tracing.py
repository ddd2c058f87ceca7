"""Traces are an option: without it nothing is imported, with it the packages have to be there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from common import tracing
from common.errors import InvalidSettings
from common.settings import Settings

REPO = Path(__file__).resolve().parents[2]
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
    with pytest.raises(InvalidSettings, match=r"--require-hashes -r .*opentelemetry\.txt"):
        tracing.check(Settings.from_env(ENDPOINT))
    tracing.check(Settings.from_env({}))


def test_the_packages_of_the_option_are_pinned_as_in_the_other_lists() -> None:
    option = pins("requirements/opentelemetry.txt")
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= option.keys()
    for lock in ("requirements.txt", "cpu.txt", "web.txt", "dev.txt"):
        others = pins(lock if lock == "requirements.txt" else f"requirements/{lock}")
        assert {name: others[name] for name in option.keys() & others.keys()}.items() <= (
            option.items()
        ), f"{lock} has another version"


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package of a lock, where each has its hashes."""
    text = (REPO / lock).read_text()
    found = re.findall(r"^(\S+)==(\S+)[^\\\n]* \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE))
    return dict(found)


def test_what_is_traced_of_a_task_is_let_go_of_whatever_happened() -> None:
    with pytest.raises(RuntimeError, match="in it"), tracing.span("a", {}, job_id="j"):
        raise RuntimeError("in it")
