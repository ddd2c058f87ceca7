"""The version of the service; `needle.__version__` is the same."""

VERSION = "0.1.0"
