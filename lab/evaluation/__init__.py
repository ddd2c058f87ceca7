"""Measures how well models, and the service with them, find things; nothing imports it."""
