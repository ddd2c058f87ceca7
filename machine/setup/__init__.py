"""Makes a machine ready: `.venv`, Debian's packages, a Chromium for the tests of the page.

Standard library only, as nothing is installed yet; nothing is imported here.
"""
