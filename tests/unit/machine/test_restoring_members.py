"""What a backup may hold: files and folders of its own, and nothing that leads elsewhere."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from machine.restoring import _unpack_member


def packed(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x" * 10) -> tarfile.TarFile:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        tar.addfile(member, io.BytesIO(content))
    held.seek(0)
    return tarfile.open(fileobj=held)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out", tarfile.REGTYPE),
        ("a/../../out", tarfile.REGTYPE),
        ("/tmp/out", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
    ],
)
def test_what_leads_elsewhere_is_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    with packed(name, kind) as tar, pytest.raises((tarfile.TarError, KeyError)):
        _unpack_member(tar, tar.getmembers()[0], tmp_path / "in")
    assert not list(tmp_path.rglob("*"))


def test_files_come_back_and_zeros_are_holes(tmp_path: Path) -> None:
    content = bytes(4 << 20) + b"end" + bytes(100)
    with packed("a/b", content=content) as tar:
        _unpack_member(tar, tar.getmembers()[0], tmp_path)
    file = tmp_path / "a" / "b"
    assert file.read_bytes() == content
    assert file.stat().st_blocks * 512 < len(content)
