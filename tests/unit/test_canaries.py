"""The search for secrets finds one that was planted, in whatever spelling: else it would prove nothing."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.harness.canaries import files, leaks

SECRET = "c4n4ry pass/word+%&?"
PLANTED = [
    SECRET.encode(),
    quote(SECRET).encode(),
    quote(SECRET, safe="").encode(),
    quote_plus(SECRET).encode(),
    *(base64.b64encode(before + SECRET.encode() + after) for before in (b"", b"u:", b"ab:", b"abcd:") for after in (b"", b"\n", b"xyz")),
    *(base64.urlsafe_b64encode(before + SECRET.encode()) for before in (b"", b"u:", b"ab:")),
]


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_found(planted: bytes, tmp_path: Path) -> None:
    """In the middle of a file, in every spelling, under the name of its place; and a file without it is none."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "clean.log").write_bytes(b"nothing of c4n4ry to see")
    (tmp_path / "a" / "worker.log").write_bytes(b"before \x00" + planted + b"\xff after")
    assert leaks(files(tmp_path), {"password": SECRET}) == ["password in a/worker.log"]
