"""The Celery workers: the roles `index` and `search`. Never imports `web`."""
