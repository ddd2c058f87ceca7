"""Settings: validated all at once, and their table in docs/SETTINGS.md tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.errors import InvalidSettings
from common.settings import PREFIX, Settings

REPO = Path(__file__).resolve().parents[2]


def test_every_bad_setting_is_named_with_its_value_in_one_error() -> None:
    bad = {"NEEDLE_PORT": "99999", "NEEDLE_DEVICE": "gpu", "NEEDLE_BATCH_SIZE": "0"}
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(bad)
    for name, value in bad.items():
        assert f"{name}={value!r}" in caught.value.message


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="NEEDLE_PROT is not a setting"):
        Settings.from_env({"NEEDLE_PROT": "1"})


def test_an_empty_value_means_the_default_and_other_variables_are_left_alone() -> None:
    others = ("PORT", "NEEDLE_TEST_SHARED", "NEEDLE_URL", "NEEDLE_CHROMIUM", "NEEDLE_SCREENSHOTS")
    settings = Settings.from_env({"NEEDLE_PORT": "", **dict.fromkeys(others, "x")})
    assert settings == Settings.from_env({})


def test_the_key_of_the_qdrant_server_is_not_printed() -> None:
    assert "secret" not in repr(Settings.from_env({"NEEDLE_QDRANT_API_KEY": "secret"}))


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
