from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from common.errors import (
    DeviceUnavailable,
    InvalidModel,
    InvalidSettings,
    ModelUnavailable,
)
from common.settings import Settings
from tests.assets import (
    CROP_DETECTOR,
    CROP_ENCODER,
    CROPS,
    MINI,
    PRECISION,
    REPO,
    one_torch_thread,
)
from worker.models import hub
from worker.models.clip import ClipEncoder, find_clip
from worker.models.dense import MapsDetector
from worker.models.onepass.encoder import OnePassEncoder
from worker.models.packs import Pack, check_pack, load_detector, load_pack, resolve_pack


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_torch_thread():
        yield


def settings(tmp_path: Path, **given: object) -> Settings:
    chosen = {"precision": PRECISION.name, **given}
    return Settings(data_dir=tmp_path, device="cpu", **chosen)  # type: ignore[arg-type]


def write_pack(folder: Path, **facts: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pack.json").write_text(json.dumps(facts))
    return folder


def test_mini_ships_with_the_project(tmp_path: Path) -> None:
    pack = resolve_pack(settings(tmp_path))
    assert pack == Pack("mini", network=str(MINI))
    assert not pack.needs_torch


def test_standard_comes_from_the_hub(tmp_path: Path) -> None:
    pack = resolve_pack(settings(tmp_path, models="standard"))
    assert pack == Pack("standard", "s", "openai/clip-vit-base-patch32")


def test_paths_in_a_folder_are_relative_to_it(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "own", name="own", detector="best.pt", encoder="clip")
    (folder / "best.pt").touch()
    (folder / "clip").mkdir()
    pack = resolve_pack(settings(tmp_path, models=str(folder)))
    assert pack == Pack("own", str(folder / "best.pt"), str(folder / "clip"))
    write_pack(folder, name="own", detector="m", encoder="org/clip")
    assert resolve_pack(settings(tmp_path, models=str(folder))) == Pack("own", "m", "org/clip")
    write_pack(folder, name="own", network="net")
    (folder / "net").mkdir()
    (folder / "net" / "network.json").touch()
    pack = resolve_pack(settings(tmp_path, models=str(folder)))
    assert pack == Pack("own", network=str(folder / "net"))


def test_settings_replace_the_packs_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.pt").touch()
    monkeypatch.chdir(tmp_path)
    pack = resolve_pack(settings(tmp_path, detector="my.pt", encoder="org/clip"))
    assert pack == Pack("mini", str(tmp_path / "my.pt"), "org/clip", str(MINI))
    assert pack.needs_torch
    crops = settings(tmp_path, models=str(CROPS), detector="my.pt")
    assert resolve_pack(crops) == Pack("crops", str(tmp_path / "my.pt"), str(CROP_ENCODER))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"models": "/nowhere"}, "NEEDLE_MODELS"),
        ({"detector": "q"}, "NEEDLE_DETECTOR"),
        ({"detector": "/nowhere/best.pt"}, "NEEDLE_DETECTOR"),
        ({"encoder": "/nowhere/clip"}, "NEEDLE_ENCODER"),
        ({"encoder": "./clip"}, "NEEDLE_ENCODER"),
    ],
)
def test_a_setting_that_names_nothing_is_refused(tmp_path: Path, given, named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        resolve_pack(settings(tmp_path, **given))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "x"}, "must have the keys"),
        ({"name": "x", "detector": None, "encoder": "a/b", "more": 1}, "no others"),
        ({"name": "x", "detector": None, "encoder": "a/b", "kinds": "k"}, "no others"),
        ({"name": "x", "network": ".", "detector": None}, "no others"),
        ({"name": 5, "network": "."}, "name must be a text"),
        ({"name": "x", "network": 5}, "the network 5 is no folder with a network.json"),
        ({"name": "x", "network": "no"}, "the network 'no' is no folder with a network.json"),
        ({"name": "x", "detector": None, "encoder": None}, "encoder must be a text"),
        ({"name": "x", "detector": 5, "encoder": "a/b"}, "text or null"),
        ({"name": "x", "detector": "no.pt", "encoder": "a/b"}, "neither a size nor a file"),
        ({"name": "x", "detector": None, "encoder": "../no"}, "neither a folder nor a name"),
    ],
)
def test_a_faulty_pack_is_refused(tmp_path: Path, facts, message: str) -> None:
    folder = write_pack(tmp_path / "own", **facts)
    with pytest.raises(InvalidModel, match=message):
        resolve_pack(settings(tmp_path, models=str(folder)))


def test_without_torch_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard = settings(tmp_path, models="standard")
    assert check_pack(standard).name == "standard"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (check_pack, load_pack):
        with pytest.raises(InvalidSettings, match=r"'standard'.*`make setup ALL=1`"):
            call(standard)


def test_a_pack_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pack.json").write_text("{")
    with pytest.raises(InvalidModel, match="cannot be read as JSON"):
        resolve_pack(settings(tmp_path, models=str(tmp_path)))


def test_mini_loads_and_describes_itself(tmp_path: Path) -> None:
    pack = load_pack(settings(tmp_path))
    assert isinstance(pack.encoder, OnePassEncoder) and pack.detector is None
    assert re.fullmatch("mini:[0-9a-f]{12}", pack.encoder.id)
    assert json.loads(json.dumps(pack.describe())) == {
        "name": "mini",
        "detector": pack.encoder.id,
        "encoder": pack.encoder.id,
        "dim": pack.encoder.dim,
        "has_text": False,
        "has_kinds": True,
        "device": "cpu",
        "precision": "float32",
    }


def test_a_pack_of_crops_loads_and_describes_itself(tmp_path: Path) -> None:
    pack = load_pack(settings(tmp_path, models=str(CROPS)))
    assert isinstance(pack.encoder, ClipEncoder) and pack.detector is not None
    assert json.loads(json.dumps(pack.describe())) == {
        "name": "crops",
        "detector": pack.detector.id,
        "encoder": pack.encoder.id,
        "dim": 256,
        "has_text": False,
        "has_kinds": False,
        "device": "cpu",
        "precision": PRECISION.name,
    }
    assert re.fullmatch("crops-encoder:[0-9a-f]{12}", pack.encoder.id)


def test_a_detector_may_stand_beside_the_network(tmp_path: Path) -> None:
    pack = load_pack(settings(tmp_path, detector=str(CROP_DETECTOR), threads=2))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert isinstance(pack.encoder, OnePassEncoder)
    assert str(pack.describe()["detector"]).startswith("yolov5:")


def test_the_network_may_find_things_for_an_encoder_of_crops(tmp_path: Path) -> None:
    pack = load_pack(settings(tmp_path, encoder=str(CROP_ENCODER)))
    assert (pack.encoder.dim, pack.encoder.kind_dim) == (256, 0)
    assert isinstance(pack.detector, MapsDetector)
    assert str(pack.describe()["detector"]).startswith("mini:")


def test_a_querys_things_are_found_by_what_found_the_images(tmp_path: Path) -> None:
    dense = load_pack(settings(tmp_path), with_detector=False).encoder
    found = load_detector(settings(tmp_path), dense)
    assert isinstance(found, MapsDetector) and found.id == dense.id
    own = settings(tmp_path, detector=str(CROP_DETECTOR))
    found = load_detector(own, dense)
    assert found is not None and found.id.startswith("yolov5:")


def test_a_missing_gpu_stops_the_loading(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="NEEDLE_DEVICE"):
        load_pack(Settings(data_dir=tmp_path, device="cuda:99"))


def test_reading_a_pack_imports_no_torch() -> None:
    code = "import sys, worker.models.packs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPO, check=False).returncode == 0


class Hub:
    """Stands for the hub's client: one repository with pickles, and the converter's offer."""

    offers = (SimpleNamespace(title="Adding `safetensors`", git_reference="refs/pr/9"),)
    files = ("config.json", "pytorch_model.bin")
    fault: Exception | None = None

    def model_info(self, repo: str, timeout: float) -> SimpleNamespace:
        if self.fault is not None:
            raise self.fault
        siblings = [SimpleNamespace(rfilename=name) for name in self.files]
        return SimpleNamespace(sha="abc", siblings=siblings)

    def get_repo_discussions(self, repo: str, **wanted: str):
        assert wanted["author"] == "SFconvertbot"
        return iter(self.offers)


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    fake = type("Hub", (Hub,), {"downloaded": []})

    def download(repo: str, *, revision: str, **_: object) -> str:
        fake.downloaded.append(revision)  # type: ignore[attr-defined]
        return str(tmp_path)

    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "HfApi", fake)
    monkeypatch.setattr(hub, "snapshot_download", download)
    return fake


def test_an_unreachable_hub_is_a_quick_and_clear_error(fake_hub) -> None:
    fake_hub.fault = ConnectionError("down")
    start = time.monotonic()
    with pytest.raises(ModelUnavailable, match=r"NEEDLE_ENCODER.*NEEDLE_MODELS=mini"):
        find_clip("openai/clip-vit-base-patch32")
    assert time.monotonic() - start < 5


def test_the_real_client_gives_up_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    # Nothing listens on the discard port.
    monkeypatch.setattr(hub, "HfApi", lambda: HfApi("http://127.0.0.1:9"))
    start = time.monotonic()
    with pytest.raises(ModelUnavailable):
        find_clip("openai/clip-vit-base-patch32")
    assert time.monotonic() - start < 8


def test_an_unknown_repository_is_permanent(fake_hub) -> None:
    response = SimpleNamespace(headers={}, request=None, status_code=404)
    fake_hub.fault = RepositoryNotFoundError("none", response=response)  # type: ignore[arg-type]
    with pytest.raises(InvalidModel, match="no public model named org/none"):
        find_clip("org/none")


def test_pickles_on_the_hub_are_replaced_by_the_converters_safetensors(fake_hub) -> None:
    assert find_clip("org/clip-small")[1] == "clip-small"
    assert fake_hub.downloaded == ["refs/pr/9"]
    fake_hub.files = ("model.safetensors",)
    find_clip("org/clip-small")
    assert fake_hub.downloaded[1:] == ["abc"]
    fake_hub.files, fake_hub.offers = (), ()
    with pytest.raises(InvalidModel, match="no safetensors"):
        find_clip("org/clip-small")


def test_a_complete_snapshot_in_the_cache_needs_no_network(fake_hub, tmp_path: Path) -> None:
    fake_hub.fault = ConnectionError("down")
    repo = tmp_path / "hub" / "models--org--clip"
    for commit, names in {"a" * 40: ["config.json"], "b" * 40: None}.items():
        snapshot = repo / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in CROP_ENCODER.iterdir():
            if names is None or file.name in names:
                (snapshot / file.name).write_bytes(file.read_bytes())
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("a" * 40)
    assert find_clip("org/clip") == (repo / "snapshots" / ("b" * 40), "clip")
