"""Settings that do nothing because of another one: refused at the start, like wrong values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.settings import Settings


def contradictions(settings: Settings) -> list[str]:
    """Return a line for each setting that nothing would look at, or that another one rules out.

    One that says what the default says changes nothing, and is no fault.
    """
    fields = type(settings).model_fields
    said = [name for name, field in fields.items() if getattr(settings, name) != field.default]
    missing = _missing(settings)
    faults = [
        f"NEEDLE_{name.upper()} does nothing: {missing[name]}" for name in said if name in missing
    ]
    copies, taken = settings.qdrant_replicas, settings.qdrant_write_consistency
    if copies and taken and taken > copies:
        faults.append(
            f"NEEDLE_QDRANT_WRITE_CONSISTENCY={taken} is more than the copies that there are: "
            f"NEEDLE_QDRANT_REPLICAS={copies}"
        )
    return faults


def _missing(settings: Settings) -> dict[str, str]:
    """Return what settings lack that do nothing beside the others, if they are given."""
    lacks: dict[str, str] = {}
    if settings.qdrant_quantization == "none":
        why = "no vectors are kept in 8 bits; set NEEDLE_QDRANT_QUANTIZATION=int8 as well"
        lacks |= dict.fromkeys(("qdrant_quantization_ram", "qdrant_oversampling"), why)
    if not settings.qdrant_url:
        named = [name for name in type(settings).model_fields if name.startswith("qdrant_")]
        why = "there is no Qdrant server; set NEEDLE_QDRANT_URL as well, or leave it out"
        lacks |= dict.fromkeys(named, why)
    if not settings.image_store:
        lacks["signed_urls"] = "images lie in no bucket; set NEEDLE_IMAGE_STORE as well"
        if not settings.source_buckets.strip(", "):
            why = "no bucket is used; set NEEDLE_IMAGE_STORE or NEEDLE_SOURCE_BUCKETS as well"
            lacks |= dict.fromkeys(("s3_endpoint", "s3_region"), why)
    if settings.signed_urls == "off":
        lacks["s3_public_endpoint"] = "it is for signed URLs; set NEEDLE_SIGNED_URLS=on as well"
    if settings.metrics_port is None:
        lacks["metrics_host"] = "no metrics are shown; set NEEDLE_METRICS_PORT as well"
    if settings.verify_images == 0:
        lacks["verify_budget_ms"] = "NEEDLE_VERIFY_IMAGES=0 leaves nothing to verify"
    return lacks
