"""The signature of SnapTrade's requests: that nothing was changed on the way (wire/snaptrade.md 1)."""

import hmac
import json
from base64 import b64encode
from hashlib import sha256


def sign(consumer_key: str, path: str, query: str, body: bytes = b"", *, escaped: bool = True) -> str:
    """The `Signature` header for a request to `path` with the raw `query` and the JSON text `body`.

    An absent body and ``{}`` are signed as null. `escaped` tells how what is not ASCII is signed: as ``\\uXXXX``, as
    Python does, or as it is, as JavaScript does. Raises ValueError where the body is no JSON.
    """
    # The other side reads the body and writes it again in this way, floats included. What is sent is the body itself:
    # its amounts are exact, and this copy of them is only compared.
    content = (json.loads(body) if body else None) or None
    signed = {"content": content, "path": path, "query": query}
    text = json.dumps(signed, separators=(",", ":"), sort_keys=True, ensure_ascii=escaped)
    return b64encode(hmac.digest(consumer_key.encode(), text.encode(), sha256)).decode()
