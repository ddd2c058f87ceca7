"""Measures how well models find things, without the service. Nothing that runs imports this."""
