"""Precision: the fastest that is not emulated, or what is asked for, and why."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.errors import InvalidSettings
from common.settings import Settings
from lab.training.__main__ import main as train
from lab.training.precision import training_precision
from tests.assets import CPU, CROP_ENCODER, CROPS, one_torch_thread
from worker.models.clip import ClipEncoder
from worker.models.packs import load_detector, load_pack
from worker.models.precision import Precision, resolve_precision

GPU = torch.device("cuda", 0)
F32, BF16, F16 = torch.float32, torch.bfloat16, torch.float16
AVX2, AVX512 = {"avx2": True, "avx512_bf16": False}, {"avx2": True, "avx512_bf16": True}
SAPPHIRE = {"avx512_bf16": True, "avx512_fp16": True, "amx_bf16": True}
CAPS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch):
    """Pretend to be a CPU with the capabilities, oneDNN capped to some."""

    def pretend(capabilities: dict[str, bool], **caps: str) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        for name in CAPS:
            monkeypatch.delenv(name, raising=False)
        for name, value in caps.items():
            monkeypatch.setenv(name, value)

    return pretend


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """Pretend that a GPU has the compute capability."""

    def pretend(major: int) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (major, 5))

    return pretend


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (AVX2, Precision(F32, "this CPU would emulate bfloat16")),
        (AVX512, Precision(BF16, "this CPU has avx512_bf16")),
        (SAPPHIRE, Precision(BF16, "this CPU has amx_bf16")),
        ({"neon": True, "bf16": True}, Precision(BF16, "this CPU has bf16")),
        ({"neon": True}, Precision(F32, "this CPU would emulate bfloat16")),
    ],
)
def test_auto_follows_the_cpus_instructions(cpu, capabilities, expected: Precision) -> None:
    cpu(capabilities)
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize("name", CAPS)
@pytest.mark.parametrize("cap", ["AVX2", "avx512_core", "AVX512_CORE_VNNI"])
def test_auto_is_float32_where_onednn_is_capped(cpu, name: str, cap: str) -> None:
    cpu(AVX512, **{name: cap})
    reason = f"oneDNN, capped to {cap.upper()} by {name}, would emulate bfloat16"
    assert resolve_precision("auto", CPU) == Precision(F32, reason)


@pytest.mark.parametrize("cap", ["AVX512_CORE_BF16", "AVX512_CORE_AMX", "AVX10_1_512", "ALL", ""])
def test_a_cap_that_leaves_bfloat16_changes_nothing(cpu, cap: str) -> None:
    cpu(AVX512, ONEDNN_MAX_CPU_ISA=cap)
    assert resolve_precision("auto", CPU) == Precision(BF16, "this CPU has avx512_bf16")


def test_of_two_caps_the_newer_variable_counts(cpu) -> None:
    cpu(AVX512, ONEDNN_MAX_CPU_ISA="ALL", DNNL_MAX_CPU_ISA="AVX2")
    assert resolve_precision("auto", CPU).dtype == BF16


def test_auto_on_a_gpu_is_float16() -> None:
    assert resolve_precision("auto", GPU) == Precision(F16, "this GPU has float16")


def test_what_is_asked_for_is_given_and_emulation_is_said(cpu, gpu) -> None:
    reason = "asked for by NEEDLE_PRECISION"
    cpu(SAPPHIRE)
    for name, dtype in (("float32", F32), ("bfloat16", BF16), ("float16", F16)):
        assert resolve_precision(name, CPU) == Precision(dtype, reason)
    cpu(AVX2)
    assert resolve_precision("float32", CPU) == Precision(F32, reason)
    for name, dtype in (("bfloat16", BF16), ("float16", F16)):
        expected = Precision(dtype, f"{reason}; this CPU emulates it")
        assert resolve_precision(name, CPU) == expected
    cpu(SAPPHIRE, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16")
    capped = "oneDNN, capped to AVX512_CORE_BF16 by ONEDNN_MAX_CPU_ISA, emulates it"
    assert resolve_precision("bfloat16", CPU) == Precision(BF16, reason)
    assert resolve_precision("float16", CPU) == Precision(F16, f"{reason}; {capped}")
    gpu(9)
    assert resolve_precision("bfloat16", GPU) == Precision(BF16, reason)
    gpu(7)
    emulated = Precision(BF16, f"{reason}; this GPU emulates it")
    assert resolve_precision("bfloat16", GPU) == emulated


def test_an_unknown_precision_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidSettings, match="'half' is no precision: set NEEDLE_PRECISION to"):
        resolve_precision("half", CPU)
    with pytest.raises(InvalidSettings, match=r"NEEDLE_PRECISION='half' must .*'bfloat16'.*\(What"):
        Settings.from_env({"NEEDLE_PRECISION": "half"})


def test_training_is_in_bfloat16_unless_it_is_emulated(cpu, gpu) -> None:
    cpu(AVX512)
    assert training_precision("auto", CPU) == Precision(BF16, "this CPU has avx512_bf16")
    cpu(AVX2)
    assert training_precision("auto", CPU).dtype == F32
    assert training_precision("bfloat16", CPU).dtype == BF16
    gpu(8)
    assert training_precision("auto", GPU) == Precision(BF16, "this GPU has bfloat16")
    gpu(7)
    assert training_precision("auto", GPU) == Precision(F32, "this GPU would emulate bfloat16")


def test_training_in_float16_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["--data", str(tmp_path), "--teacher", str(tmp_path), "--work", str(tmp_path)]
    where = ["all", "--device", "cpu", *paths]
    assert train([*where, "--precision", "float16"]) == 1
    monkeypatch.setenv("NEEDLE_PRECISION", "float16")
    assert train(where) == 1
    assert capsys.readouterr().err.count("training: Training in float16 needs loss scaling") == 2
    assert train([*where, "--precision", "half"]) == 1
    assert "'half' is no precision: set --precision or" in capsys.readouterr().err


def test_each_load_says_the_precision_and_the_reason_once(
    cpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = Settings(data_dir=tmp_path, device="cpu", precision="float32", models=str(CROPS))
    with one_torch_thread(), caplog.at_level(logging.INFO, "worker.models.packs"):
        assert load_pack(chosen).describe()["precision"] == "float32"
        load_detector(chosen)
        cpu(AVX2)
        load_detector(Settings(data_dir=tmp_path, device="cpu", models=str(CROPS)))
    assert [record.getMessage() for record in caplog.records] == [
        "networks run on cpu in float32: asked for by NEEDLE_PRECISION",
        "networks run on cpu in float32: asked for by NEEDLE_PRECISION",
        "networks run on cpu in float32: this CPU would emulate bfloat16",
    ]


def test_float16_on_a_cpu_gives_nearly_the_same_embeddings() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (6, 5, 3), np.uint8)
    images = [Image.fromarray(noise).resize((90, 60))]  # one small picture: it may be emulated
    with one_torch_thread():
        made = [ClipEncoder(CROP_ENCODER, CPU, dtype=dtype) for dtype in (F32, F16)]
        exact, near = (one.encode_images(images) for one in made)
    assert made[0].id == made[1].id, "a collection stays bound to its encoder in any precision"
    assert (exact * near).sum() > 0.9999
