"""Needle on one machine: `setup` makes its environment, `stack` runs the whole service.

Imports nothing: a bare Python goes through here to `machine.setup.bootstrap`.
"""
