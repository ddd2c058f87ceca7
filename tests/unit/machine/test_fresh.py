"""`make fresh`: how it reads a log, what it says, what a machine's user gets. No root is made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from machine.setup import fresh, fresh_table

DEMO = """Making .venv with Python 3.13 ...
  requirements.txt: 77 s
The service is ready at http://127.0.0.1:8080.
8 of 8 queries found their photo first.
"""
TESTS = """  requirements.txt: 70 s
  requirements/dev.txt: 12 s
........ [100%]
40 skipped: the development photos are not on this machine
1120 passed, 40 skipped in 400.12s (0:06:40)
"""
REFUSED = "needle: Needle needs another Python.\nmake: *** [Makefile:15: setup] Error 1\n"


@pytest.mark.parametrize(
    ("ran", "result", "installing_s"),
    [
        (fresh_table.Ran(0, 163, DEMO), "8 of 8 queries found", 77),
        (fresh_table.Ran(0, 500, TESTS), "1120 passed, 40 skipped in 400.12s", 82),
        (fresh_table.Ran(2, 0, REFUSED), "**status 2**: needle: Needle needs another Python.", 0),
        (fresh_table.Ran(137, 1, ""), "**status 137**: nothing", 0),
    ],
)
def test_how_a_command_went_is_read_from_what_it_printed(
    ran: fresh_table.Ran, result: str, installing_s: float
) -> None:
    assert ran.result == result
    assert ran.installing_s == installing_s


def test_the_table_has_a_row_a_machine_and_says_what_was_not_run() -> None:
    ran = {"make demo": fresh_table.Ran(0, 163, DEMO, 488)}
    rows = [
        fresh_table.Row(fresh.MACHINES[0], "3.11.2", 18.0, ran),
        fresh_table.Row(fresh.MACHINES[1], fault="mmdebstrap ended with status 1"),
    ]
    lines = fresh_table.table(rows).splitlines()
    assert lines[2].split(" | ")[3:] == ["`make demo`", "of it installing", "`.venv`", "result |"]
    assert lines[4] == "| Debian 12 | 3.11.2 | 0:18 | 2:43 | 1:17 | 488 MB | 8 of 8 queries found |"
    assert lines[5].endswith("|  |  |  | mmdebstrap ended with status 1 |")
    assert [row.well for row in rows] == [True, False]


def test_the_size_of_an_environment_is_what_it_takes_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "large").write_bytes(b"x" * 3_000_000)
    (tmp_path / "far").symlink_to("/usr")
    assert fresh.megabytes(tmp_path) == 3
    assert fresh.megabytes(tmp_path / "nothing") == 0


def test_a_machines_user_has_no_settings_but_reaches_the_package_index() -> None:
    given = {
        "NEEDLE_DATA_DIR": "/data",
        "PYTHONPATH": "/here",
        "HOME": "/home/me",
        "PIP_FIND_LINKS": "/opt/wheels",
        "PIP_INDEX_URL": "https://index.example",
        "https_proxy": "http://proxy.example",
        "SSL_CERT_FILE": "/here/bundle.pem",
        "NEEDLE_PRECISION": "float32",
    }
    env = fresh.environment(given)
    assert env["HOME"] == "/root" and env["SSL_CERT_FILE"] == env["PIP_CERT"] == fresh.CERTIFICATES
    kept = {"PIP_INDEX_URL", "https_proxy", "NEEDLE_PRECISION"}
    assert {name for name in given if env.get(name) == given[name]} == kept


def test_what_keeps_it_from_running_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(fresh.Stop, match="as root"):
        fresh.check(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fresh.Stop, match="apt-get install mmdebstrap"):
        fresh.check(tmp_path)
    for name in ("mmdebstrap", "unshare"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(fresh, "PORT", other.getsockname()[1])
        with pytest.raises(fresh.Stop, match="which `make demo` takes, is in use"):
            fresh.check(tmp_path / "roots")
    fresh.check(tmp_path / "roots")
    monkeypatch.setattr(fresh, "NEEDED_BYTES", 10**18)
    with pytest.raises(fresh.Stop, match="GB free"):
        fresh.check(tmp_path / "roots")


def test_machines_are_chosen_by_name() -> None:
    assert fresh.chosen(None, None) == list(fresh.MACHINES)
    assert [m.commands for m in fresh.chosen(["Debian 13"], "make up")] == [("make up",)]
    with pytest.raises(fresh.Stop, match="'Debian 9'; there are Debian 12, Debian 13"):
        fresh.chosen(["Debian 9"], None)
