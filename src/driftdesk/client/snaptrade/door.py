"""What stands between our transport and SnapTrade: every request is paced and signed, every refusal said in our words.

It is an httpx transport around another one, so time-outs, retries of reads and the reading of answers are those of
`client.transport`. User and secrets are added below the client: no log line and no error holds them.
"""

from typing import Final

import httpx

from driftdesk.client.limiter import whole_number
from driftdesk.client.snaptrade.pace import Pace
from driftdesk.client.snaptrade.refusals import refusal
from driftdesk.client.snaptrade.signature import SnapTradeKeys, plain_query, sign, signed_query
from driftdesk.client.transport import Waiting

# What an error's answer keeps: the id that SnapTrade's support asks for, and how long to wait.
_KEPT: Final = ("X-Request-ID", "Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class SnapTradeDoor(httpx.BaseTransport):
    """Signs for `keys`, waits as `pace` says, and hands over to `inner`."""

    def __init__(self, keys: SnapTradeKeys, inner: httpx.BaseTransport, pace: Pace, waiting: Waiting) -> None:
        self._keys = keys
        self._inner = inner
        self._pace = pace
        self._waiting = waiting

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; an answer of 400 or more comes as `message` and `code`, with its headers in our meaning."""
        wait = self._pace.request(self._waiting.now().timestamp())
        if wait > 0:
            self._waiting.sleep(wait)
        now = self._waiting.now().timestamp()
        answer = self._inner.handle_request(self._signed(request, int(now)))
        _tell_in_our_way(answer.headers, now)
        if not answer.is_error:
            return answer
        answer.request = request
        answer.read()
        answer.close()
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        return httpx.Response(answer.status_code, headers=kept, json=refusal(answer))

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()

    def _signed(self, request: httpx.Request, timestamp: int) -> httpx.Request:
        path, _, query = request.url.raw_path.decode().partition("?")
        query = signed_query(query, self._keys, timestamp)
        body = request.read()
        headers = httpx.Headers(request.headers)
        # The client signs in with a header of its own, which is nothing to SnapTrade.
        headers.pop("Authorization", None)
        headers["Signature"] = sign(self._keys.consumer_key, path, query, body)
        url = request.url.copy_with(raw_path=f"{path}?{query}".encode())
        return httpx.Request(request.method, url, headers=headers, content=body, extensions=request.extensions)


def _tell_in_our_way(headers: httpx.Headers, now: float) -> None:
    """SnapTrade tells seconds until a window ends, our limiter reads instants; an account's limit is waited for too.

    Where it sends us elsewhere, the address comes without what was added to it here: addresses are logged.
    """
    if "Location" in headers:
        address, asked, query = headers["Location"].partition("?")
        headers["Location"] = f"{address}{asked}{plain_query(query)}"
    left = whole_number(headers, "X-RateLimit-Reset")
    if left is not None:
        headers["X-RateLimit-Reset"] = f"{int(now) + left}"
    of_account = whole_number(headers, "X-RateLimit-Account-Reset")
    spent = whole_number(headers, "X-RateLimit-Account-Remaining") == 0
    if spent and of_account is not None and "Retry-After" not in headers:
        headers["Retry-After"] = f"{of_account}"
