from __future__ import annotations

import pytest
import torch

from common.errors import DeviceUnavailable
from worker.models.batches import map_batches
from worker.models.device import resolve_device


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_is_the_cpu_without_a_gpu(gpus) -> None:
    gpus(0)
    assert resolve_device("auto") == torch.device("cpu")


def test_auto_is_the_first_gpu_where_there_are_some(gpus) -> None:
    gpus(2)
    assert resolve_device("auto") == torch.device("cuda", 0)
    assert resolve_device("cuda") == torch.device("cuda", 0)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cpu") == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_a_clear_error(gpus) -> None:
    gpus(0)
    with pytest.raises(DeviceUnavailable, match=r"sees no GPU: set NEEDLE_DEVICE to cpu"):
        resolve_device("cuda")
    gpus(1)
    with pytest.raises(DeviceUnavailable, match=r"GPU number 3.*1 GPU:.*a number below 1"):
        resolve_device("cuda:3")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "cuda:x"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match="auto, cpu, cuda or cuda:N"):
        resolve_device(name)


def test_batches_keep_the_order() -> None:
    seen: list[int] = []

    def run(batch):
        seen.append(len(batch))
        return [item * 10 for item in batch]

    assert map_batches(run, list(range(7)), 3) == [0, 10, 20, 30, 40, 50, 60]
    assert seen == [3, 3, 1]
    assert map_batches(run, [], 3) == []


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    seen: list[int] = []

    def run(batch):
        seen.append(len(batch))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError
        return batch

    assert map_batches(run, list(range(9)), 8) == list(range(9))
    assert seen == [8, 4, 2, 2, 2, 2, 1]


def test_a_single_image_that_does_not_fit_is_a_clear_error() -> None:
    def run(batch):
        raise torch.cuda.OutOfMemoryError

    with pytest.raises(DeviceUnavailable, match="single image"):
        map_batches(run, [1, 2], 2)
