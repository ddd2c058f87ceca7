"""The HTTP front end: takes requests, records jobs, enqueues tasks, answers polls.

Imports `common` only: no torch, no Qdrant, no worker code.
"""
