"""What we say is free of secrets, in whatever form a vendor's answer or a library's error holds them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.canaries import spellings
from weighlock import redact
from weighlock import settings as config
from weighlock.clients.hubspot import HubSpot
from weighlock.clients.hubspot_answers import Conflict
from weighlock.errors import AuthError, ConfigError, RejectedError, WeighlockError

SECRET = 'p&ss w%rd+"ü\\/?>'
ECHOES: list[Callable[[str], str]] = [
    lambda secret: f"you sent {secret}!",
    lambda secret: f"at /token?{urlencode({'password': secret})}&x",
    lambda secret: f"at /{quote(secret, safe='')}/x",
    lambda secret: f"body {urlencode({'client_secret': secret}).lower()}",
    lambda secret: json.dumps({"echo": secret}),
    lambda secret: json.dumps({"echo": secret}, ensure_ascii=False),
    lambda secret: f"Basic {base64.b64encode(f'user:{secret}'.encode()).decode()}",
    lambda secret: f"Basic {base64.urlsafe_b64encode(f'some-user:{secret}'.encode()).decode()}",
    lambda secret: f"illegal header {secret.encode()!r}",
    lambda secret: f"illegal value {secret!r}",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_every_form_is_taken_out(echo: Callable[[str], str]) -> None:
    """Plain, in URLs, forms, JSON, reprs and headers: the guarded value is gone and the rest stays."""
    redact.guard(SECRET)
    text = f"before {echo(SECRET)} after"
    said = redact.scrub(text)
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert redact.HIDDEN in said
    assert not [form for form in spellings(SECRET) if form in said]


@given(st.text(min_size=8, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_inside_of_base64(secret: str, before: bytes, after: bytes) -> None:
    """Wherever a secret stands in something that is base64 as a whole, no more than its outer letters is left of it."""
    coded = base64.b64encode(before + secret.encode() + after).decode()
    kept = max(redact.forms(secret), key=lambda form: len(form) if form in coded else 0)
    assert kept in coded
    assert len(kept) >= 8 * len(secret.encode()) // 6 - 2


def test_errors_and_what_goes_into_dead_letters() -> None:
    """Every text of our errors is scrubbed when it is made."""
    redact.guard(SECRET)
    rejected = RejectedError(f"no {SECRET}", request=json.dumps({"x": SECRET}), response=quote(SECRET))
    said = [str(WeighlockError(SECRET)), str(ConfigError("a", SECRET)), *ConfigError(SECRET).problems, str(rejected), rejected.reason]
    said += [rejected.request or "", rejected.response or ""]
    assert all(redact.HIDDEN in text for text in said)
    assert not [form for form in spellings(SECRET) for text in said if form in text]


def test_a_token_that_no_header_takes() -> None:
    """The library's error quotes the header; ours does not."""
    client = HubSpot(config.HubSpot(url="http://127.0.0.1:1", token="pat-canary\nx"))
    with pytest.raises(WeighlockError) as refused:
        client.account()
    assert "canary" not in str(refused.value)


def test_an_answer_that_echoes_the_token() -> None:
    """What HubSpot says of a 401 reaches the operator without the token in it."""

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"message": f"bad {request.headers['authorization']}", "category": "INVALID_AUTHENTICATION"})

    client = HubSpot(config.HubSpot(url="http://127.0.0.1:1", token="pat-canary"), httpx.MockTransport(echo))
    with pytest.raises(AuthError, match=r"bad Bearer \[secret\]"):
        client.account()


def test_a_weak_secret_spoils_no_data() -> None:
    """Data and ids come as they are, whatever looks like a secret in them: only what we say is scrubbed."""
    body = {"message": "no", "category": "CONFLICT", "context": {"existingId": ["51234"]}}
    answers = iter([httpx.Response(200, json={"results": [{"id": "51234", "properties": {"k": "1234"}}]}), httpx.Response(409, json=body)])
    client = HubSpot(config.HubSpot(url="http://127.0.0.1:1", token="1234"), httpx.MockTransport(lambda _: next(answers)))
    assert client.read("company", ["51234"], ["k"])[0].properties == {"k": "1234"}
    with pytest.raises(Conflict) as refused:
        client.read("company", ["51234"], ["k"])
    assert refused.value.existing == "51234"


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_crash(where: str) -> None:
    """The traceback of an exception that nobody caught, its cause and a logged one are there, without the secret."""
    code = f"""
import logging, threading
from weighlock import logs, redact
logs.configure()
redact.guard("crash-canary")
def crash():
    try:
        raise KeyError("crash-canary")
    except KeyError as cause:
        logging.getLogger("x").exception("logged crash-canary")
        raise RuntimeError("told crash-canary") from cause
{"crash()" if where == "main" else "threading.Thread(target=crash).start()"}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "crash-canary" not in done.stdout + done.stderr
    assert "RuntimeError: told [secret]" in done.stderr
    assert "KeyError: '[secret]'" in done.stderr
    assert "logged [secret]" in done.stderr
