"""Measurements over HTTP with the real processes and the development photos."""
