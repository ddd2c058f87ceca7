"""Where models are made and measured: `training`, `evaluation`, `bench`.

It may import everything; nothing that runs in the service imports any of it.
"""
