"""Model files from the Hugging Face hub, and from its cache on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_download,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import CacheNotFound, RepositoryNotFoundError
from huggingface_hub.hf_api import ModelInfo

from common.errors import InvalidModel, ModelUnavailable, NeedleError

REACH_TIMEOUT_S = 5.0
CHECKPOINT_FILES = ("*.json", "*.txt", "model*.safetensors")
"""What an encoder consists of; other formats and other tools' weights stay on the hub."""

_CONVERTER = "SFconvertbot"
"""The hub's own account that offers safetensors for repositories that have only pickles."""


def download_file(repo: str, filename: str, *, ways_out: str) -> Path:
    """Return the path of a repository's file in the cache, downloading it where it is missing.

    Raises ModelUnavailable, within seconds, where the hub does not answer; `ways_out` ends its
    message. Raises InvalidModel where the hub has no such repository.
    """
    cached = try_to_load_from_cache(repo, filename, cache_dir=constants.HF_HUB_CACHE)
    if isinstance(cached, str):
        return Path(cached)
    with _translated(repo, ways_out):
        _reach(repo)
        return Path(hf_hub_download(repo, filename, cache_dir=constants.HF_HUB_CACHE))


def download_checkpoint(repo: str, *, ways_out: str) -> Path:
    """Return the folder in the cache with a repository's safetensors and configuration.

    Downloads it where it is missing or not complete. Raises as `download_file` does, and
    InvalidModel where the repository has no safetensors.
    """
    cached = _cached_checkpoint(repo)
    if cached is not None:
        return cached
    with _translated(repo, ways_out):
        revision = _revision_with_safetensors(repo, _reach(repo))
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=list(CHECKPOINT_FILES),
            cache_dir=constants.HF_HUB_CACHE,
        )
        return Path(folder)


def is_complete(folder: Path) -> bool:
    """Tell whether a folder has an encoder's configuration, its preprocessing and its weights."""
    preprocessing = ("preprocessor_config.json", "processor_config.json")
    return (
        (folder / "config.json").is_file()
        and any((folder / name).is_file() for name in preprocessing)
        and any(folder.glob("model*.safetensors"))
    )


def _cached_checkpoint(repo: str) -> Path | None:
    """Return the cached snapshot; of several complete ones the hub's current, then the newest."""
    try:
        cached = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return None
    revisions = [
        revision
        for entry in cached.repos
        if entry.repo_id == repo and entry.repo_type == "model"
        for revision in entry.revisions
        if is_complete(revision.snapshot_path)
    ]
    best = max(revisions, key=lambda r: ("main" in r.refs, r.last_modified), default=None)
    return best.snapshot_path if best else None


def _reach(repo: str) -> ModelInfo:
    """Ask the hub once, with a short timeout: a download alone gives up after 23 s of retries."""
    return HfApi().model_info(repo, timeout=REACH_TIMEOUT_S)


def _revision_with_safetensors(repo: str, info: ModelInfo) -> str | None:
    """Return the revision to download: the current one, or the converter's pull request."""
    if any(file.rfilename.endswith(".safetensors") for file in info.siblings or ()):
        return info.sha
    offers = HfApi().get_repo_discussions(
        repo, author=_CONVERTER, discussion_type="pull_request", discussion_status="open"
    )
    for offer in offers:
        if "safetensors" in offer.title:
            return offer.git_reference
    raise InvalidModel(f"{repo} on the hub has no safetensors, and Needle loads nothing else")


@contextmanager
def _translated(repo: str, ways_out: str) -> Iterator[None]:
    try:
        yield
    except NeedleError:
        raise
    except RepositoryNotFoundError as exc:
        raise InvalidModel(f"The hub has no public model named {repo}: {ways_out}") from exc
    except Exception as exc:  # the hub's client raises its own, httpx's and the system's
        raise ModelUnavailable(
            f"{repo} is not in the cache and cannot be downloaded from the hub "
            f"({type(exc).__name__}). Connect to the internet and try again, or {ways_out}"
        ) from exc
