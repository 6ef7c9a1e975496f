"""Who is let in: Basic or APCA headers, 401 without and 403 with wrong credentials."""

import httpx
import pytest

APCA = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (401, {}),
        (401, {"Authorization": "Bearer abc"}),
        (401, {"Authorization": "Basic not*base64"}),
        (401, {"Authorization": "Basic a2V5"}),  # "key" without a colon
        (401, {APCA[0]: "key"}),
        (403, {"Authorization": "Basic a2V5Ondyb25n"}),  # key:wrong
        (403, {APCA[0]: "key", APCA[1]: "wrong"}),
        (403, {APCA[0]: "wrong", APCA[1]: "secret"}),
        (200, {"Authorization": "Basic a2V5OnNlY3JldA=="}),  # key:secret
        (200, {"Authorization": "basic a2V5OnNlY3JldA=="}),
        (200, {APCA[0]: "key", APCA[1]: "secret"}),
    ],
)
def test_credentials_decide_who_reads_the_clock(
    anonymous: httpx.Client, expected: int, headers: dict[str, str]
) -> None:
    """Missing or unreadable credentials are 401, wrong ones 403, right ones in either form 200."""
    assert expected == anonymous.get("/v1/clock", headers=headers).status_code


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_open_paths_need_no_credentials(anonymous: httpx.Client, path: str) -> None:
    """Health and documentation are open."""
    assert anonymous.get(path).status_code == 200


def test_an_unknown_path_does_not_tell_a_stranger_that_it_is_unknown(anonymous: httpx.Client) -> None:
    """Credentials are checked before anything else, also before a broken body is read."""
    assert anonymous.get("/v1/nowhere").status_code == 401
    assert anonymous.post("/v1/rebalancing/runs", content="{").json()["code"] == 40110000
