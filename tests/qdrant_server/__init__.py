"""A stand-in for Qdrant's server: its REST interface over HTTP, in a process of its own, for tests.

Requests are read with `qdrant-client`'s own models, and points lie in Qdrant Edge, the engine that
the server is built around. So what is refused here would be refused there, in the same words. It is
one node with one shard a collection: what makes it a cluster is written down and answered, no more.

    python -m tests.qdrant_server --port 6333 --api-key secret --folder /tmp/points

Beside Qdrant's own calls there is `/faults`: what is posted there strikes from then on
(`faults.py`). `running.py` starts it from a test.
"""
