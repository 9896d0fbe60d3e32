"""Who is let in: by key, or anyone where the gateway listens to its own machine alone."""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from typing import Literal

from callscope.errors import InvalidSetting, RateLimited, Unauthenticated
from services.gateway.access import OPERATOR, Caller
from services.gateway.keys import Keys

__all__ = ["Doorkeeper", "Rate"]


class Rate:
    """A token bucket for each key: `per_second` requests on average, `burst` at once.

    Args:
        per_second: 0 for no limit.
        burst: how many may come together after a pause.
        clock: seconds, ever growing.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._full_at: dict[str, float] = {}  # when each key's bucket will be full again

    def take(self, key_id: str) -> float:
        """Take a token: 0.0, or the seconds until there is one."""
        if self._per_second == 0:
            return 0.0
        now = self._clock()
        full_at = max(now, self._full_at.get(key_id, now)) + 1 / self._per_second
        missing = full_at - now - self._burst / self._per_second
        if missing > 1e-9:
            return missing
        self._full_at[key_id] = full_at
        return 0.0


class Doorkeeper:
    """From a request's credentials to who asks: an `Authenticate`.

    Args:
        keys: those that are known.
        policy: `keys`: a key is needed; `none`: none is; `auto`: one is as soon as one was made.
        rate: how often a key may ask.
    """

    def __init__(self, keys: Keys, policy: Literal["auto", "keys", "none"], rate: Rate) -> None:
        self._keys = keys
        self._policy = policy
        self._rate = rate

    def check_exposure(self, *hosts: str) -> None:
        """Make sure that nobody but this machine reaches a gateway that asks for no keys.

        Raises:
            InvalidSetting: there are no keys, and one of the addresses is another's to reach.
        """
        if self._policy != "auto" or all(_is_loopback(host) for host in hosts) or self._closed():
            return
        raise InvalidSetting(
            f"the gateway would listen on {', '.join(hosts)} and let everyone in: there are no API"
            " keys",
            remedy="Make one with `callscope keys create`, or set CALLSCOPE_GATEWAY_AUTH=keys; "
            "CALLSCOPE_GATEWAY_AUTH=none where something else keeps others out.",
        )

    async def __call__(self, authorization: str | None) -> Caller:
        """Who sends a request with this Authorization header.

        Raises:
            Unauthenticated: a key is needed, and none that is valid was sent.
            RateLimited: the key asks too often.
            Unavailable: the database does not answer.
        """
        caller = await asyncio.to_thread(self._caller, authorization)
        if caller.key_id is not None and (seconds := self._rate.take(caller.key_id)):
            raise RateLimited(
                f"key {caller.key_id} sends more requests than it may", retry_after=seconds
            )
        return caller

    def _caller(self, authorization: str | None) -> Caller:
        if not self._closed():
            return OPERATOR
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("the request carries no API key")
        return self._keys.recognize(secret.strip()).caller

    def _closed(self) -> bool:
        if self._policy == "auto" and self._keys.exist():
            self._policy = "keys"  # it stays so
        return self._policy == "keys"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
