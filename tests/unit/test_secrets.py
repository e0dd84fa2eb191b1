"""Secrets at rest: encrypted, rotated without a moment at which they cannot be read, and asked for again when they are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.fernet import Fernet

from sinks.hubspot import HubSpotTarget
from weighlock import secrets
from weighlock.clients.acumatica import Acumatica
from weighlock.clients.acumatica_session import FileTokenStore, Grant
from weighlock.clients.hubspot import HubSpot
from weighlock.errors import AuthError, ConfigError
from weighlock.secrets import SecretStore
from weighlock.settings import SECRETS, Settings

BARE = """
kafka = "localhost:9092"
registry = "http://localhost:8081"
state = "{state}"
[acumatica]
url = "http://127.0.0.1:1"
tenant = "Demo"
client_id = "x@Demo"
username = "weighlock"
[hubspot]
url = "http://127.0.0.1:1"
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a weighlock.toml without any secret."""
    for name in list(os.environ):
        if name.startswith("WEIGHLOCK_"):
            monkeypatch.delenv(name)
    (tmp_path / "weighlock.toml").write_text(BARE.format(state=tmp_path / "state"))
    monkeypatch.setenv("WEIGHLOCK_CONFIG", str(tmp_path / "weighlock.toml"))
    return tmp_path / "state"


def fill(state: Path, **other: str) -> SecretStore:
    store = SecretStore(state)
    for name in SECRETS:
        store.put(name, other.get(name.replace(".", "_"), f"old {name}"))
    return store


def weighlock(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weighlock", "secrets", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_lies_in_the_clear(state: Path) -> None:
    """No file of the folder holds a value, and only the owner may read those that matter."""
    fill(state)
    FileTokenStore(state / "acumatica-grant.sealed").save(Grant("me", "access-token", "refresh-token", 1.0))
    files = [path for path in state.iterdir() if not path.name.endswith(".lock")]
    assert {path.name for path in files} == {"secrets.sealed", "acumatica-grant.sealed", "secrets.key"}
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        assert not [
            word
            for word in (b"old ", b"hubspot", b"access-token", b"refresh-token")
            if word in path.read_bytes() and path.suffix == ".sealed"
        ]
    assert SecretStore(state).values() == {name: f"old {name}" for name in SECRETS}


def test_settings_ask_the_store_last(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What neither the file nor the environment gives comes from the store; what they give goes first."""
    fill(state)
    monkeypatch.setenv("WEIGHLOCK_ACUMATICA__PASSWORD", "from the environment")
    settings = Settings.load()
    assert settings.need_acumatica().client_secret.get_secret_value() == "old acumatica.client_secret"
    assert settings.need_acumatica().password.get_secret_value() == "from the environment"
    assert settings.need_hubspot().token.get_secret_value() == "old hubspot.token"


def test_missing_everywhere_is_told_with_the_rest(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in neither place is a line beside the other mistakes; so is a store that cannot be opened."""
    monkeypatch.setenv("WEIGHLOCK_PARTITIONS", "0")
    with pytest.raises(ConfigError) as refused:
        Settings.load()
    assert len(refused.value.problems) == 1 + len(SECRETS)
    assert "hubspot.token: missing: set it with `weighlock secrets set hubspot.token`, in weighlock.toml or as" in str(refused.value)
    fill(state)
    monkeypatch.setenv(secrets.KEY, Fernet.generate_key().decode())
    with pytest.raises(ConfigError, match="do not open it") as refused:
        Settings.load()
    assert len(refused.value.problems) == 2 + len(SECRETS)


@pytest.mark.parametrize("source", [secrets.KEY, secrets.KEY_FILE])
def test_keys_from_outside(state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    """A key of the environment or of a mounted file is used, none is made; a rotation wants the new one in front of the old one."""
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    mounted = tmp_path / "mounted"

    def give(*keys: str) -> None:
        mounted.write_text("\n".join(keys) + "\n")
        monkeypatch.setenv(source, ",".join(keys) if source == secrets.KEY else str(mounted))

    give(old)
    store = fill(state)
    assert not (state / "secrets.key").exists()
    with pytest.raises(ConfigError, match=f"{source}: put a new key in front"):
        secrets.rotate(state)
    give(new, old)
    assert secrets.rotate(state) == ["secrets.sealed"]
    give(new)
    assert store.values()["hubspot.token"] == "old hubspot.token"
    give(old)
    with pytest.raises(ConfigError, match="do not open it"):
        store.values()


@pytest.mark.parametrize("wrong", ["short", "", "ü" * 44])
def test_a_wrong_key_is_not_shown(state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str) -> None:
    """What is no key is refused, with the form that one has, and without it."""
    (tmp_path / "mounted").write_text(wrong)
    monkeypatch.setenv(secrets.KEY_FILE, str(tmp_path / "mounted"))
    with pytest.raises(ConfigError, match="32 bytes in URL-safe base64") as refused:
        SecretStore(state).put("hubspot.token", "x")
    assert not wrong or wrong not in str(refused.value)


def test_a_key_that_others_can_read(state: Path) -> None:
    """Our own key file is refused once others may read it."""
    store = fill(state)
    (state / "secrets.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        store.values()


@pytest.mark.parametrize("writes", range(4))
def test_a_rotation_broken_off_anywhere(state: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """After any number of its writes all can be read, and done again it leaves one key, a new one, that opens everything."""
    store, grants = fill(state), FileTokenStore(state / "acumatica-grant.sealed")
    grants.save(Grant("me", "a", "r", 1.0))
    before, left, write = (state / "secrets.key").read_text(), [writes], secrets.write_private

    def until(path: Path, content: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, content)

    monkeypatch.setattr(secrets, "write_private", until)
    with pytest.raises(KeyboardInterrupt):
        secrets.rotate(state)
    monkeypatch.setattr(secrets, "write_private", write)
    for _ in range(2):
        assert store.values()["hubspot.token"] == "old hubspot.token"
        assert grants.load() == Grant("me", "a", "r", 1.0)
        secrets.rotate(state)
    after = (state / "secrets.key").read_text().split()
    assert len(after) == 1
    assert after[0] not in before


def test_readers_and_writers_during_rotations(state: Path) -> None:
    """A process that reads, and one that writes its tokens, notice nothing of rotations."""
    store, grants, stop, wrong = fill(state), FileTokenStore(state / "grant.sealed"), threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            while not stop.is_set():
                assert store.values()["hubspot.token"] == "old hubspot.token"
                with grants.exclusive():
                    grants.save(Grant("me", "a", "r", 1.0))
                    assert grants.load() is not None
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(20):
            secrets.rotate(state)
    finally:
        stop.set()
        thread.join()
    assert wrong == []


def test_the_first_files_of_many_at_once(state: Path) -> None:
    """Whoever comes first makes the key; what each of many writes beside rotations can be read afterwards."""
    stores = [FileTokenStore(state / f"{number}.sealed") for number in range(8)]
    threads = [threading.Thread(target=store.save, args=(Grant("me", "a", "r", 1.0),)) for store in stores]
    for thread in threads:
        thread.start()
        secrets.rotate(state)
    for thread in threads:
        thread.join()
    assert [store.load() for store in stores] == [Grant("me", "a", "r", 1.0)] * 8


def test_a_changed_token_needs_no_restart(state: Path) -> None:
    """HubSpot's 401 sends the client to the store; the new token goes on, one that is refused twice and did not change ends it."""
    store, sent = fill(state), list[str]()

    def portal(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        good = sent[-1] == "Bearer new"
        return httpx.Response(200, json={"portalId": 1}) if good else httpx.Response(401, json={"category": "INVALID_AUTHENTICATION"})

    settings = Settings.load()
    client = HubSpot(settings.need_hubspot(), httpx.MockTransport(portal), lambda: settings.reread().hubspot)
    with pytest.raises(AuthError):
        client.account()
    assert sent == ["Bearer old hubspot.token"] * 2
    store.put("hubspot.token", "new")
    client.account()
    client.account()
    assert sent[2:] == ["Bearer old hubspot.token", "Bearer new", "Bearer new"]


@pytest.mark.parametrize("changed", ["acumatica.client_secret", "acumatica.password", "nothing"])
def test_changed_credentials_of_acumatica_need_no_restart(state: Path, changed: str) -> None:
    """A refused sign-in is tried once more if the store has others by now, and never otherwise: users get locked out."""
    store, forms = fill(state), list[dict[str, list[str]]]()

    def site(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/identity/connect/token":
            return httpx.Response(200, json=[])
        forms.append(parse_qs(request.content.decode()))
        if "new" in (forms[-1]["client_secret"][0], forms[-1]["password"][0]):
            return httpx.Response(200, json={"access_token": "aaaa", "refresh_token": "rrrr", "expires_in": 3600})
        return httpx.Response(400, json={"error": "invalid_client" if "secret" in changed else "invalid_grant"})

    settings = Settings.load()
    tokens = FileTokenStore(state / "acumatica-grant.sealed")
    client = Acumatica(settings.need_acumatica(), tokens, httpx.MockTransport(site), again=lambda: settings.reread().acumatica)
    if changed == "nothing":
        with pytest.raises(AuthError):
            client.list("Customer", [])
        assert len(forms) == 1
        return
    store.put(changed, "new")
    assert client.list("Customer", []) == []
    assert len(forms) == 2
    later = Settings.load()
    assert Acumatica(later.need_acumatica(), tokens, httpx.MockTransport(site)).list("Customer", []) == []
    assert len(forms) == 2  # the grant was kept as that of the new credentials


class NewOnly(BaseHTTPRequestHandler):
    """Both vendors at once, after a rotation: only what has `new` in it is good."""

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"]))
        good = b"password=new" in form and b"secret=new" in form
        self.answer(
            good, {"access_token": "tttt", "refresh_token": "rrrr", "expires_in": 3600} if good else {"error": "invalid_client"}, 400
        )

    def do_GET(self) -> None:
        endpoints = {"endpoints": [{"name": "Default", "version": "24.200.001"}], "results": [], "portalId": 1}
        self.answer(self.headers["Authorization"] in ("Bearer new", "Bearer tttt"), endpoints, 401)

    def answer(self, good: bool, body: dict[str, object], otherwise: int) -> None:
        content = json.dumps(body).encode()
        self.send_response(200 if good else otherwise)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


def test_what_the_workers_are_made_of_follows(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source's client and the sink's target, as the workers make them, go on with secrets that were set after their start."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), NewOnly)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for section in ("ACUMATICA", "HUBSPOT"):
        monkeypatch.setenv(f"WEIGHLOCK_{section}__URL", f"http://127.0.0.1:{server.server_port}")
    try:
        store = fill(state)
        settings = Settings.load()
        source, target = Acumatica.of(settings), HubSpotTarget(settings, {})
        for name in SECRETS:
            store.put(name, "new")
        source.check()
        target.check()
    finally:
        server.shutdown()
        server.server_close()


def test_the_commands(state: Path) -> None:
    """A value comes in by standard input, `list` tells names and times only, `rotate` names the files; mistakes are status 2."""
    done = weighlock("set", "hubspot.token", "--json", given="pat-canary\n")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"name": "hubspot.token", "state": "set", "used": "store"})
    listed = weighlock("list", "--json")
    assert {row["name"]: row["used"] for row in json.loads(listed.stdout)} == dict.fromkeys(SECRETS, "missing") | {"hubspot.token": "store"}
    rotated = weighlock("rotate", "--json")
    assert json.loads(rotated.stdout) == [{"file": "secrets.sealed", "state": "encrypted anew"}]
    assert SecretStore(state).values() == {"hubspot.token": "pat-canary"}
    unknown, empty = weighlock("set", "hubspot.tokn", given="x"), weighlock("set", "hubspot.token", given="\n")
    assert (unknown.returncode, empty.returncode) == (2, 2)
    assert all(name in unknown.stderr for name in SECRETS)
    assert "nothing was given" in empty.stderr
    assert "pat-canary" not in "".join(one.stdout + one.stderr for one in (done, listed, rotated))
