"""`make demo`: the whole service, started, filled with photos and searched, in one command.

Uses the service as any client does, over HTTP; only starting and ending it goes through
`machine.stack`. `demo.samples` draws the photos.
"""
