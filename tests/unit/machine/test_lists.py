"""Which list of packages a machine gets, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.setup import lists


def without_gpu() -> str:
    return ""


def with_gpu() -> str:
    return "/dev/nvidia0"


def test_a_machine_without_a_gpu_gets_no_torch() -> None:
    lock, why = lists.choose({}, installed=False, find_gpu=without_gpu)
    assert (lock, why) == (lists.CPU, "this machine has no GPU")
    assert "`make setup ALL=1` installs the rest" in lists.sentence(lock, why)


def test_a_machine_with_a_gpu_gets_torch() -> None:
    lock, why = lists.choose({}, installed=False, find_gpu=with_gpu)
    assert lists.sentence(lock, why) == (
        "With PyTorch (requirements.txt): this machine has a GPU (/dev/nvidia0)."
    )


@pytest.mark.parametrize(
    "env",
    [
        {"NEEDLE_MODELS": "standard"},
        {"NEEDLE_MODELS": "/my/pack"},
        {"NEEDLE_DETECTOR": "n"},
        {"NEEDLE_ENCODER": "openai/clip-vit-base-patch32"},
        {"NEEDLE_DEVICE": "cuda:1"},
    ],
)
def test_models_that_run_on_torch_bring_it(env: dict[str, str]) -> None:
    lock, why = lists.choose(env, installed=False, find_gpu=without_gpu)
    assert lock == lists.WHOLE
    assert why == "{}={} needs it".format(*next(iter(env.items())))


def test_empty_settings_are_none_and_the_pack_that_ships_needs_no_torch() -> None:
    env = {"NEEDLE_MODELS": "mini", "NEEDLE_DETECTOR": "", "NEEDLE_DEVICE": "auto"}
    assert lists.choose(env, installed=False, find_gpu=without_gpu)[0] == lists.CPU


@pytest.mark.parametrize(
    ("facts", "lock"),
    [
        ('{"name": "own", "network": "."}', lists.CPU),
        ('{"name": "own", "detector": "n", "encoder": "clip"}', lists.WHOLE),
        ("no JSON", lists.WHOLE),
        ("1", lists.WHOLE),
    ],
)
def test_a_pack_of_ones_own_brings_torch_unless_it_is_a_network(
    tmp_path: Path, facts: str, lock: str
) -> None:
    (tmp_path / "pack.json").write_text(facts)
    env = {"NEEDLE_MODELS": str(tmp_path)}
    assert lists.choose(env, installed=False, find_gpu=without_gpu)[0] == lock


def test_a_gpu_that_shall_not_be_used_brings_no_torch() -> None:
    lock, why = lists.choose({"NEEDLE_DEVICE": "cpu"}, installed=False, find_gpu=with_gpu)
    assert (lock, why) == (lists.CPU, "NEEDLE_DEVICE=cpu uses no GPU")


def test_torch_stays_where_it_is() -> None:
    lock, why = lists.choose({"NEEDLE_DEVICE": "cpu"}, installed=True, find_gpu=without_gpu)
    assert (lock, why) == (lists.WHOLE, "it was installed before")


def test_a_gpu_is_seen_by_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("nvidiactl", "nvidia-uvm"):  # the driver alone
        (tmp_path / name).touch()
    assert lists.gpu(tmp_path) == ""
    (tmp_path / "nvidia0").touch()
    assert lists.gpu(tmp_path) == str(tmp_path / "nvidia0")


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        ("echo 'GPU 0: NVIDIA L4 (UUID: GPU-1)'", "nvidia-smi"),
        ("echo 'No devices found.'", ""),
        ("echo 'GPU 0: lost'; exit 9", ""),
    ],
)
def test_a_gpu_is_seen_by_nvidias_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, seen: str
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lists.gpu(tmp_path / "dev") == seen
