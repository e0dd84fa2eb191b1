"""Fetching Kafka and the registry: by jgo from a small Maven repository on the loopback interface, which can misbehave."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stamina
from rich.console import Console

from weighlock import processes
from weighlock.errors import ConfigError
from weighlock.stack import jars, java

JAR = b"a jar" * 1000
COORDINATE = "org.example:boat:1.0"
PATH = "/org/example/boat/1.0/boat-1.0.jar"


class Repository(ThreadingHTTPServer):
    """`files` by path; `cut` says how many answers are still to break off in the middle; `asked` is what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {PATH: JAR}
        self.cut = 0
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body is not None:
            if self.server.cut:
                self.server.cut -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Repository]:
    """The repository, set as jgo's mirror; an empty cache; a lock of one small file instead of Kafka's 46."""
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        mirror(monkeypatch, tmp_path, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WEIGHLOCK_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(jars, "_lock", lambda: {COORDINATE: hashlib.sha256(JAR).hexdigest()})
        with stamina.set_testing(True, attempts=3):
            yield server
        server.shutdown()
        thread.join()


def mirror(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    (folder / "jgo.conf").write_text(f"[repositories]\ncentral = {url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(folder / "jgo.conf"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_fetched_once_with_progress(repository: Repository) -> None:
    """The first call fetches and says what and where to; the second asks nobody and says nothing."""
    said = io.StringIO()
    (path,) = jars.kafka(Console(file=said, width=60))
    assert path.read_bytes() == JAR
    assert said.getvalue().startswith("Fetching Apache Kafka 4.3.1")
    assert str(jars.cache()) in said.getvalue()
    asked = list(repository.asked)
    again = io.StringIO()
    assert jars.kafka(Console(file=again)) == [path]
    assert (repository.asked, again.getvalue()) == (asked, "")


def test_a_download_that_breaks_off_is_taken_up_again(repository: Repository) -> None:
    """Half a file is never taken for a whole one: it is fetched again."""
    repository.cut = 1
    (path,) = jars.kafka()
    assert path.read_bytes() == JAR
    assert repository.asked.count(PATH) == 2


def test_a_download_that_keeps_breaking_off_leaves_nothing(repository: Repository) -> None:
    """After some tries: a ConfigError that says what to do; nothing that the next call would take for a download."""
    repository.cut = 99
    with pytest.raises(ConfigError, match=r"cannot fetch Apache Kafka 4\.3\.1 .* check the network .* WEIGHLOCK_KAFKA"):
        jars.kafka()
    repository.cut = 0
    assert [path.read_bytes() for path in jars.kafka()] == [JAR]
    assert sorted(path.name for path in jars.cache().iterdir()) == ["kafka-4.3.1", "lock"]


def test_another_file_under_the_name_is_refused(repository: Repository) -> None:
    """A file with another SHA-256 than the lock's is refused by its coordinate, and not kept."""
    repository.files[PATH] = JAR + b"!"
    with pytest.raises(ConfigError, match=f"{COORDINATE} is not the file that jars.lock names"):
        jars.kafka()
    assert sorted(path.name for path in jars.cache().iterdir()) == ["lock"]


def test_what_a_killed_process_left_is_removed(repository: Repository) -> None:
    """The half of a folder that a kill left behind is neither used nor kept."""
    (jars.cache() / "part-1").mkdir(parents=True)
    (jars.cache() / "part-1" / "half.jar").write_bytes(b"half")
    assert len(jars.kafka()) == 1
    assert sorted(path.name for path in jars.cache().iterdir()) == ["kafka-4.3.1", "lock"]


def test_the_registry_is_unpacked(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apicurio comes as one archive; what is kept is what was in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("quarkus-run.jar")
        member.size = len(JAR)
        archive.addfile(member, io.BytesIO(JAR))
    repository.files["/io/apicurio/apicurio-registry-app/3.3.3/apicurio-registry-app-3.3.3-all.tar.gz"] = packed.getvalue()
    monkeypatch.setattr(jars, "_lock", lambda: {jars._APICURIO: hashlib.sha256(packed.getvalue()).hexdigest()})
    jar = jars.apicurio()
    assert jar.read_bytes() == JAR
    assert [path.name for path in jar.parent.iterdir()] == ["quarkus-run.jar"]


def test_nobody_answers(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network: a ConfigError that names the three ways out."""
    mirror(monkeypatch, tmp_path, f"http://127.0.0.1:{processes.free_port()}")
    with pytest.raises(ConfigError, match=r"proxy settings.*mirror.*copy the folder.*WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY"):
        jars.kafka()


def test_without_the_extra(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """jgo is not installed: a ConfigError that names the extra and the way around it."""
    monkeypatch.setitem(sys.modules, "jgo.config", None)
    with pytest.raises(ConfigError, match=r"pip install 'weighlock\[local\]'.*WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY"):
        jars.kafka()


def test_every_file_has_a_hash() -> None:
    """The lock names Kafka's class path and the registry's archive, each once, each with a SHA-256."""
    lock = jars._lock()
    assert len(lock) == len(jars._LOCK.read_text().splitlines()) == 47
    assert set(jars._KAFKA_ROOTS) | {jars._APICURIO} <= set(lock)
    assert all(len(digest) == 64 and int(digest, 16) for digest in lock.values())


def program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    path.chmod(0o755)
    return path


def test_which_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """WEIGHLOCK_JAVA before JAVA_HOME before the wheel; one that is too old is passed over, unless it was asked for by name."""
    old = program(tmp_path / "old" / "bin" / "java", "11.0.2")
    new = program(tmp_path / "new" / "bin" / "java", "17.0.1")
    mine = program(tmp_path / "mine", "21.0.1")
    monkeypatch.delenv("WEIGHLOCK_JAVA", raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    assert java.find() not in (old, new, mine)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
    assert java.find() == new
    monkeypatch.setenv("WEIGHLOCK_JAVA", str(mine))
    assert java.find() == mine
    monkeypatch.setenv("WEIGHLOCK_JAVA", str(old))
    with pytest.raises(ConfigError, match=r"needs Java 17 or newer \(WEIGHLOCK_JAVA: .* is Java 11\)"):
        java.find()
    monkeypatch.setenv("WEIGHLOCK_JAVA", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="not a Java that runs"):
        java.find()
