"""`service`: the running service on labelled photos, over HTTP, beside simpler pipelines."""
