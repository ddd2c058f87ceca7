"""The form of a compose file, as far as ours use it."""

from __future__ import annotations

TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
HEALTHCHECK = {
    "type": "object",
    "required": ["test", "interval", "timeout", "retries"],
    "properties": {
        "test": {**TEXTS, "contains": {"enum": ["CMD", "CMD-SHELL"]}},
        "interval": {"type": "string", "pattern": r"^\d+[smh]$"},
        "timeout": {"type": "string", "pattern": r"^\d+[smh]$"},
        "start_period": {"type": "string", "pattern": r"^\d+[smh]$"},
        "retries": {"type": "integer"},
    },
    "additionalProperties": False,
}
GPU = {
    "type": "object",
    "required": ["driver", "count", "capabilities"],
    "properties": {"driver": {"const": "nvidia"}, "count": {}, "capabilities": {"const": ["gpu"]}},
    "additionalProperties": False,
}
SERVICE = {
    "type": "object",
    "required": [
        "image",
        "restart",
        "healthcheck",
        "stop_grace_period",
        "volumes",
        "init",
        "user",
        "read_only",
        "cap_drop",
        "security_opt",
    ],
    "properties": {
        "image": {"type": "string"},
        "build": {
            "type": "object",
            "required": ["context", "dockerfile"],
            "additionalProperties": False,
            "properties": {"context": {}, "dockerfile": {}},
        },
        "command": TEXTS,
        "profiles": TEXTS,
        "restart": {"const": "unless-stopped"},
        "init": {"const": True},
        "user": {"type": "string"},
        "read_only": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "tmpfs": TEXTS,
        "security_opt": TEXTS,
        "volumes": TEXTS,
        "ports": TEXTS,
        "environment": {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "null"]},
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"condition": {"const": "service_healthy"}},
                "required": ["condition"],
                "additionalProperties": False,
            },
        },
        "healthcheck": HEALTHCHECK,
        "stop_grace_period": {"type": "string", "pattern": r"^\d+[smh]$"},
        "deploy": {
            "type": "object",
            "properties": {
                "resources": {
                    "type": "object",
                    "properties": {
                        "reservations": {
                            "type": "object",
                            "properties": {"devices": {"type": "array", "items": GPU}},
                            "additionalProperties": False,
                        }
                    },
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
COMPOSE = {
    "type": "object",
    "required": ["services", "volumes"],
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
    "patternProperties": {"^x-": {}},
    "additionalProperties": False,
}
