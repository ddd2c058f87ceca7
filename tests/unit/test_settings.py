"""Settings: validated all at once, and their table in docs/SETTINGS.md tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from common.errors import InvalidSettings
from common.settings import PREFIX, Settings
from common.settings_words import FORMS, allowed

REPO = Path(__file__).resolve().parents[2]


def test_every_bad_setting_is_named_with_its_value_in_one_error() -> None:
    bad = {"NEEDLE_PORT": "99999", "NEEDLE_DEVICE": "gpu", "NEEDLE_BATCH_SIZE": "0"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(bad)
    for name, value in bad.items():
        assert f"{name}={value!r}" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "must be a whole number from 1 to 65535 (Its port)"),
        ("THREADS", "-1", "must be a whole number of at least 0 ("),
        ("URL_TIMEOUT_S", "0", "must be a number above 0 ("),
        ("CONFIDENCE_THRESHOLD", "2", "must be a number from 0 to 1 ("),
        ("REGIONS_PER_IMAGE", "1e9", "must be a whole number from 1 to 10000 ("),
        ("KEYS", "yes", "must be 'auto', 'required' or 'off' ("),
        ("PROFILE", "slow", "must be 'fast', 'balanced' or 'thorough' ("),
        ("REDIS_URL", "127.0.0.1:6379", "must begin with redis://, rediss:// or unix:// ("),
        ("TILE_SCALES", "1;2", "must be whole numbers by commas, as 1,2,4 ("),
        ("METRICS_PORT", "8080", "is the public port, NEEDLE_PORT ("),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_allowed(name: str, value: str, said: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({PREFIX + name: value})
    shown = "(not shown)" if name == "REDIS_URL" else repr(value)
    assert f"  {PREFIX}{name}={shown} {said}" in caught.value.message


def test_what_is_allowed_is_said_in_our_words_of_every_setting() -> None:
    schema = Settings.model_json_schema()
    for name in Settings.model_fields:
        assert allowed(name, schema).startswith("must b")
    patterns = {name for name, field in Settings.model_fields.items() if _pattern(field)}
    assert patterns == set(FORMS)


def _pattern(field: FieldInfo) -> bool:
    return any(getattr(part, "pattern", None) for part in field.metadata)


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="NEEDLE_PROT is not a setting"):
        Settings.from_env({"NEEDLE_PROT": "1"})


def test_an_empty_value_means_the_default_and_other_variables_are_left_alone() -> None:
    others = ("PORT", "NEEDLE_TEST_SHARED", "NEEDLE_URL", "NEEDLE_CHROMIUM", "NEEDLE_SCREENSHOTS")
    settings = Settings.from_env({"NEEDLE_PORT": "", **dict.fromkeys(others, "x")})
    assert settings == Settings.from_env({})


def test_the_key_of_the_qdrant_server_is_not_printed() -> None:
    given = {"NEEDLE_QDRANT_URL": "http://qdrant", "NEEDLE_QDRANT_API_KEY": "secret"}
    assert "secret" not in repr(Settings.from_env(given))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEEDLE_WEBHOOK_SECRET", "hunter2"),
        ("NEEDLE_WEBHOOK_SECRET", "whsec_hunter2" + "A" * 26),
        ("NEEDLE_REDIS_URL", "http://:hunter2@redis:6379"),
        ("NEEDLE_QDRANT_URL", "ftp://needle:hunter2@qdrant"),
    ],
)
def test_a_secret_that_is_wrong_is_named_and_not_printed(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name) as caught:
        Settings.from_env({name: value})
    assert "hunter2" not in caught.value.message


def test_the_password_of_redis_is_not_printed() -> None:
    assert "hunter2" not in repr(Settings.from_env({"NEEDLE_REDIS_URL": "redis://:hunter2@r"}))


@pytest.mark.parametrize("count", [33, 34, 37])
def test_a_webhook_secret_that_nothing_can_be_signed_with_is_refused(count: int) -> None:
    with pytest.raises(InvalidSettings, match=r"NEEDLE_WEBHOOK_SECRET.*no base64"):
        Settings.from_env({"NEEDLE_WEBHOOK_SECRET": "whsec_" + "A" * count})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEEDLE_REDIS_URL", "redis://r:abc/0"),
        ("NEEDLE_QDRANT_URL", "http://"),
        ("NEEDLE_QDRANT_URL", "http://q:99999"),
        ("NEEDLE_S3_ENDPOINT", "http://no host/"),
        ("NEEDLE_S3_PUBLIC_ENDPOINT", "https://:9000"),
        ("NEEDLE_S3_REGION", "no region!"),
        ("NEEDLE_SOURCE_BUCKETS", "photos, https://shop.example/photos"),
        ("NEEDLE_SOURCE_BUCKETS", "/photos"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_env({name: value})


@pytest.mark.parametrize(
    "value", ["redis:///0", "redis://[::1]:6379", "rediss://u:p@a_b.example", "unix:///run/r.sock"]
)
def test_addresses_are_taken_in_every_form(value: str) -> None:
    assert Settings.from_env({"NEEDLE_REDIS_URL": value}).redis_url == value


@pytest.mark.parametrize("value", ["a1", "photos/2024, more", "s3://photos/a b/,", "x.y-z , q_1"])
def test_buckets_are_taken_in_every_form(value: str) -> None:
    assert Settings.from_env({"NEEDLE_SOURCE_BUCKETS": value}).source_buckets == value


def test_metrics_are_not_shown_at_the_public_port() -> None:
    for given in (
        {"NEEDLE_PORT": "9000", "NEEDLE_METRICS_PORT": "9000"},
        {"NEEDLE_METRICS_PORT": "8080"},
    ):
        with pytest.raises(InvalidSettings, match=r"NEEDLE_METRICS_PORT.*public port"):
            Settings.from_env(given)


QDRANT = {"NEEDLE_QDRANT_URL": "http://qdrant"}
BUCKET = {"NEEDLE_IMAGE_STORE": "s3://photos"}
SOURCE = {"NEEDLE_SOURCE_BUCKETS": "photos"}
SIGNED = {**BUCKET, "NEEDLE_SIGNED_URLS": "on"}


@pytest.mark.parametrize(
    ("name", "value", "with_it"),
    [
        ("NEEDLE_SIGNED_URLS", "on", BUCKET),
        ("NEEDLE_S3_ENDPOINT", "http://store", BUCKET),
        ("NEEDLE_S3_ENDPOINT", "http://store", SOURCE),
        ("NEEDLE_S3_REGION", "eu-central-2", SOURCE),
        ("NEEDLE_S3_PUBLIC_ENDPOINT", "http://store", SIGNED),
        ("NEEDLE_QDRANT_API_KEY", "secret", QDRANT),
        ("NEEDLE_QDRANT_SHARDS", "2", QDRANT),
        ("NEEDLE_QDRANT_FILTERS", "shop", QDRANT),
        ("NEEDLE_QDRANT_OVERSAMPLING", "3", {**QDRANT, "NEEDLE_QDRANT_QUANTIZATION": "int8"}),
        ("NEEDLE_METRICS_HOST", "0.0.0.0", {"NEEDLE_METRICS_PORT": "9464"}),
    ],
)
def test_a_setting_that_needs_another_is_refused_without_it(
    name: str, value: str, with_it: dict[str, str]
) -> None:
    Settings.from_env({name: value, **with_it})
    with pytest.raises(InvalidSettings, match=f"{name} does nothing: .*NEEDLE_") as caught:
        Settings.from_env({name: value})
    assert "secret" not in caught.value.message


def test_what_a_setting_lacks_is_said_of_every_one_at_once() -> None:
    given = {"NEEDLE_SIGNED_URLS": "on", "NEEDLE_QDRANT_HNSW_M": "8", "NEEDLE_S3_REGION": "x"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(given)
    assert all(f"{name} does nothing" in caught.value.message for name in given)


@pytest.mark.parametrize(
    "given",
    [
        {**BUCKET, "NEEDLE_S3_PUBLIC_ENDPOINT": "http://store"},
        {**QDRANT, "NEEDLE_QDRANT_QUANTIZATION_RAM": "false"},
        {**QDRANT, "NEEDLE_QDRANT_REPLICAS": "2", "NEEDLE_QDRANT_WRITE_CONSISTENCY": "3"},
        {"NEEDLE_VERIFY_IMAGES": "0", "NEEDLE_VERIFY_BUDGET_MS": "100"},
        {"NEEDLE_SOURCE_BUCKETS": " , ", "NEEDLE_S3_REGION": "x"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match=list(given)[-1]):
        Settings.from_env(given)


def test_what_says_the_default_is_no_contradiction() -> None:
    defaults = {"NEEDLE_SIGNED_URLS": "off", "NEEDLE_QDRANT_TIMEOUT_S": "30"}
    assert Settings.from_env(defaults) == Settings.from_env({})


def test_no_task_can_outlive_its_lease() -> None:
    settings = Settings.from_env({"NEEDLE_TASK_TIME_LIMIT_S": "500"})
    assert settings.longest_task_s > 500 + 30


def test_the_table_of_settings_has_every_one_with_its_default_and_meaning() -> None:
    row = re.compile(r"^\| `(NEEDLE_\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
    table = {name: words for name, *words in row.findall((REPO / "docs/SETTINGS.md").read_text())}
    assert table == {
        PREFIX + name.upper(): [
            "" if field.default in (None, "") else f"`{field.default}`",
            field.description,
        ]
        for name, field in Settings.model_fields.items()
    }
