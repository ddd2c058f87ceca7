"""Webhooks: who asked to be called when a job ends, in a list that outlives every process.

The script that ends a job puts it on the list (`job_scripts.py`), in the same step. A worker claims
what is due for a while, calls, and settles it; one that dies meanwhile loses nothing, since the
claim ends by itself. So a receiver may be called twice. Signed as Standard Webhooks says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from common.clock import STEADY
from common.job_keys import WEBHOOKS, record_key
from common.jobs import Webhook
from common.redis import Client, translated

PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400)
"""Waits between calls: nine in all, over almost eight hours."""
CLAIMED_S = 60
"""How long whoever claims a call has for it."""

# KEYS: the list. ARGV: for how long it is claimed. Returns the job's id.
_CLAIM = f"""{STEADY}
local now = steady()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)
if #due == 0 then return false end
redis.call('ZADD', KEYS[1], now + ARGV[1], due[1])
return due[1]
"""

# KEYS: the list, the job's record. ARGV: id, field, JSON, in how many seconds to call again or ''.
# A record that has faded is not made anew.
_SETTLE = f"""{STEADY}
if ARGV[4] == '' then redis.call('ZREM', KEYS[1], ARGV[1])
else redis.call('ZADD', KEYS[1], steady() + ARGV[4], ARGV[1]) end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], ARGV[2], ARGV[3]) end
"""


class Calls:
    """The list of jobs that have ended and whose webhooks are to be called."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def claim(self) -> str | None:
        """Return a job whose webhook is due, which is due again only in a while; None for none."""
        with translated():
            found: str | None = self._redis.eval(_CLAIM, 1, WEBHOOKS, CLAIMED_S)
        return found

    def settle(self, job_id: str, webhook: Webhook, again_in_s: float | None) -> None:
        """Take down what came of a call, and when to make the next, if any."""
        wait = "" if again_in_s is None else again_in_s
        keys, args = [WEBHOOKS, record_key(job_id)], [job_id, "webhook", webhook.to_json(), wait]
        with translated():
            self._redis.eval(_SETTLE, 2, *keys, *args)

    def drop(self, job_id: str) -> None:
        """Forget a call of a job that is gone."""
        with translated():
            self._redis.zrem(WEBHOOKS, job_id)


def signature(secrets: Sequence[str], message_id: str, at: int, body: bytes) -> str:
    """Return the header `webhook-signature`: of each secret one, so that they can be changed."""
    signed = f"{message_id}.{at}.".encode() + body
    return " ".join(f"v1,{_signed(secret, signed)}" for secret in secrets)


def _signed(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
