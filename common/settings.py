"""Every setting, read once from `NEEDLE_*` at a process's entry and passed down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from common.contract.fields import (
    BatchSize,
    LocalFeatures,
    Profile,
    Share,
    VerifyBudgetMs,
    Zoom,
)
from common.errors import InvalidSettings
from common.settings_checks import checked_apart, checked_secrets, checked_server, is_of_others
from common.settings_of_qdrant import Positive, QdrantSettings
from common.settings_together import contradictions
from common.settings_words import explained

PREFIX = "NEEDLE_"


class Settings(QdrantSettings):
    """The validated settings. The table in docs/SETTINGS.md is checked against these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(Path("data"), description="Images, thumbnails and the embedded index")
    image_store: str | None = Field(
        None,
        pattern=r"^s3://[A-Za-z0-9][A-Za-z0-9._-]+(/[^?#]*)?$",
        description="Where images and all files beside them are kept: `s3://BUCKET/PREFIX`; unset: "
        "the data folder",
    )
    s3_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Server of the buckets, where it is not Amazon's",
    )
    s3_region: str | None = Field(
        None,
        pattern=r"^[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
        description="Their region; unset: what AWS_REGION or the profile says, or us-east-1",
    )
    s3_public_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="The same server as clients reach it, in signed URLs; unset: the same",
    )
    source_buckets: str = Field(
        "",
        pattern=r"^(\s*((s3://)?[A-Za-z0-9][A-Za-z0-9._-]+(/[^,]*)?)?\s*(,|$))*$",
        description="Buckets, or prefixes in them (`BUCKET/PREFIX`), that images may be indexed "
        "from, by commas",
    )
    signed_urls: Literal["off", "on"] = Field(
        "off",
        description="`on`: files of images are answered with a redirect to the bucket, by a URL "
        "that is good for an hour; `off`: they pass through the web server",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern=r"^(rediss?|unix)://",
        description="Redis: queues, jobs and the list of images",
        repr=False,
    )
    models: str = Field("mini", description="Model pack: `mini`, `standard`, or a folder")
    detector: str | None = Field(
        None, description="YOLOv5 weights instead of the pack's: n, s, m, l, x, or a path"
    )
    encoder: str | None = Field(
        None, description="CLIP checkpoint instead of the pack's: a hub name or a folder"
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu` or `cuda:N`"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        "auto",
        description="What the networks compute in: `auto`, `float32`, `bfloat16`, `float16` or "
        "`int8`; `auto` is the fastest that the machine does not emulate; `int8` is for the pack "
        "`mini` on a CPU, where `auto` takes it",
    )
    threads: int = Field(
        0, ge=0, description="CPU threads of a worker's models; 0 lets torch choose"
    )
    confidence_threshold: Share = Field(
        0.05, description="Detections below it become no regions (0..1)"
    )
    batch_size: BatchSize = Field(8, description="Images that go through the detector together")
    encoder_batch_size: Positive = Field(
        64, description="Crops that go through the encoder together"
    )
    chunk_size: Annotated[int, Field(ge=1, le=64)] = Field(
        8,
        description="Images of one task on `index`, and the most queries of one on `searches`",
    )
    profile: Profile = Field(
        Profile.BALANCED,
        description="How closely images are indexed: `fast`, `balanced` or `thorough`",
    )
    regions_per_image: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Most regions of an image; unset: the profile's"
    )
    seconds_per_image: Annotated[float, Field(gt=0)] = Field(
        6,
        description="Longest that the networks should take for an image (seconds): on a device "
        "that is slow for an encoder of crops, images have fewer regions than the profile's",
    )
    tile_scales: str | None = Field(
        None,
        pattern=r"^(\d+(,\d+)*)?$",
        description="Square tiles of 1/N of an image's shorter side, for each N (`1,2,4`); "
        "unset: the profile's",
    )
    tile_overlap: Annotated[float, Field(ge=0, le=0.9)] | None = Field(
        None,
        description="Least overlap of neighbouring tiles, as a share of a tile's side; "
        "unset: the profile's, 0.5 at least where tiles are all there is",
    )
    tile_min_px: Positive | None = Field(
        None, description="Tiles smaller than this are left out (pixels); unset: the profile's"
    )
    tiles_per_image: Positive = Field(
        2000, description="Scales that would make more tiles of one image are left out"
    )
    decoded_bytes: Positive = Field(
        512 * 2**20,
        description="Pixels that the index worker holds decoded (bytes, 4 a pixel); "
        "a larger image is held alone",
    )
    max_file_bytes: Positive = Field(64 * 2**20, description="Largest image (bytes)")
    max_request_bytes: Positive = Field(2**30, description="Largest request (bytes)")
    max_image_pixels: Positive = Field(100_000_000, description="Largest image (pixels)")
    max_items_per_job: Positive = Field(20_000, description="Most images, or queries, of one job")
    max_queued_tasks: Positive = Field(
        50_000, description="Longest queue; beyond it requests get 429"
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        512 * 2**20,
        description="Space on the data folder's disk below which no images are taken, where they "
        "are kept there (bytes); indexing waits below half of it; 0 for any",
    )
    job_ttl_s: Positive = Field(7 * 86_400, description="How long a finished job is kept (seconds)")
    task_time_limit_s: Annotated[int, Field(ge=10)] = Field(
        300, description="Longest run of one task (seconds)"
    )
    url_timeout_s: Annotated[float, Field(gt=0)] = Field(
        20, description="Longest download of one URL (seconds)"
    )
    url_allow_hosts: str = Field(
        "", description="Hosts that URLs may name although their address is private, by commas"
    )
    webhook_secret: str | None = Field(
        None,
        pattern=r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}( whsec_[A-Za-z0-9+/]{32,88}={0,2})*$",
        description="Secret that webhooks are signed with: `whsec_` and 24 bytes or more in "
        "base64; several, by spaces, while it is changed; unset: no webhooks",
        repr=False,
    )
    exact_below: Annotated[int, Field(ge=0)] = Field(
        50_000, description="Collections of fewer regions are searched exactly"
    )
    zoom_images: Zoom = Field(
        24, description="Images looked at closely, up to 3 times that for a small query; 0 for none"
    )
    zoom_budget_ms: Positive = Field(
        400, description="Longest time that looking closely may take in a search (milliseconds)"
    )
    local_features: LocalFeatures = Field(
        2500,
        description=(
            "Most local features kept of an image of 0.6 megapixels or less; larger ones have more "
            "in proportion; 0 for none"
        ),
    )
    verify_images: Annotated[int, Field(ge=0, le=200)] = Field(
        60, description="Images that a search verifies by their local features; 0 for none"
    )
    verify_budget_ms: VerifyBudgetMs = Field(
        1500, description="Longest time that verifying may take in a search (milliseconds)"
    )
    search_threads: Positive | None = Field(
        None,
        description="Searches that a search worker runs at once; unset: as many as it has cores, "
        "2 at least and 4 at most",
    )
    host: str = Field("127.0.0.1", description="Address that the web server listens on")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(8080, description="Its port")
    server_names: str = Field(
        "",
        description="Names under which the service is asked, besides this machine's own and its "
        "addresses, by commas; `*` for any",
    )
    keys: Literal["auto", "required", "off"] = Field(
        "auto",
        description="Whether requests need a key: `auto` (where there are keys, or the web server "
        "listens beyond this machine), `required` or `off`",
    )
    rate_per_minute: Annotated[int, Field(ge=0)] = Field(
        1200, description="Requests a minute of one key, or from one other address; 0 for any"
    )
    search_wait_s: Annotated[float, Field(gt=0)] = Field(
        10, description="A search that would wait longer than this for its turn gets 429 (seconds)"
    )
    metrics_port: Annotated[int, Field(ge=1, le=65_000)] | None = Field(
        None,
        description="Port at which the web server shows its metrics; each worker takes the first "
        "free one after it; unset: none",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that the metrics are shown at")
    traces_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Where traces go, by OTLP over HTTP (`http://collector:4318`); unset: nowhere",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Log level")
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the log: `text`, or `json`, an object a line"
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        """Processes may start in different folders: resolve the path once."""
        return value.expanduser().absolute()

    @field_validator(
        "redis_url", "qdrant_url", "s3_endpoint", "s3_public_endpoint", "traces_endpoint"
    )
    @classmethod
    def _of_servers(cls, value: str | None) -> str | None:
        return value and checked_server(value)

    @field_validator("webhook_secret")
    @classmethod
    def _to_sign_with(cls, value: str | None) -> str | None:
        return value and checked_secrets(value)

    @field_validator("metrics_port")
    @classmethod
    def _apart(cls, value: int | None, info: ValidationInfo) -> int | None:
        return value and checked_apart(value, info.data.get("port"))

    @property
    def scales(self) -> tuple[int, ...] | None:
        """`tile_scales` as numbers, None where it is unset."""
        if self.tile_scales is None:
            return None
        return tuple(int(part) for part in self.tile_scales.split(",") if part)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """`url_allow_hosts` as a set of lower-case names."""
        return _names(self.url_allow_hosts)

    @property
    def own_names(self) -> frozenset[str]:
        """`server_names` as a set of lower-case names."""
        return _names(self.server_names)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """`webhook_secret`, one by one."""
        return tuple((self.webhook_secret or "").split())

    @property
    def longest_task_s(self) -> int:
        """Seconds after which a task hangs, longer than any runs; no worker speaks for it then."""
        return self.task_time_limit_s + 60

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Build the settings from `NEEDLE_*`; an empty value means the default.

        Raises InvalidSettings naming every bad variable, its value and what is allowed, or every
        one that does nothing because of another.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and not is_of_others(name) and value != ""
        }
        try:
            settings = cls.model_validate(given)
        except ValidationError as exc:
            raise InvalidSettings(explained(exc.errors(), cls, PREFIX)) from exc
        if faults := contradictions(settings):
            raise InvalidSettings("Invalid settings:\n  " + "\n  ".join(faults))
        return settings


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())
