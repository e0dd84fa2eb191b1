"""Apache Kafka and Apicurio Registry as Java programs: fetched once by jgo, checked against `jars.lock`, kept in a cache.

A line of `jars.lock` is the SHA-256 of a file and its Maven coordinate (`group:artifact:version[:classifier:packaging]`).
`python -m weighlock.stack.jars` resolves the dependencies again and prints a new lock.

The cache is `WEIGHLOCK_CACHE`, else `weighlock` in the user's cache folder. A folder in it has its final name only once
all of it is there, so a download that was cut off is never taken for a whole one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stamina
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from weighlock.errors import ConfigError

KAFKA = "4.3.1"
APICURIO = "3.3.3"
_KAFKA_ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.slf4j:slf4j-simple:1.7.36")
_APICURIO = f"io.apicurio:apicurio-registry-app:{APICURIO}:all:tar.gz"
_LOCK = Path(__file__).with_name("jars.lock")
_MEGABYTES = {"Apache Kafka": 54, "Apicurio Registry": 158}


def cache() -> Path:
    """The folder in which downloads are kept."""
    if chosen := os.environ.get("WEIGHLOCK_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "weighlock")


def kafka(console: Console | None = None) -> list[Path]:
    """The class path of Apache Kafka, fetched if need be with progress on `console`. ConfigError when it cannot be fetched."""
    folder = _kept(f"kafka-{KAFKA}", lambda target: _fetch("Apache Kafka", KAFKA, _kafka_lock(), target, console))
    return sorted(folder.glob("*.jar"))


def apicurio(console: Console | None = None) -> Path:
    """The `quarkus-run.jar` of Apicurio Registry, beside the files that it needs; fetched and unpacked if need be."""

    def make(target: Path) -> None:
        archives = target / "archive"
        archives.mkdir()
        _fetch("Apicurio Registry", APICURIO, {_APICURIO: _lock()[_APICURIO]}, archives, console)
        with tarfile.open(next(archives.iterdir())) as archive:
            archive.extractall(target, filter="data")
        shutil.rmtree(archives)

    return _kept(f"apicurio-{APICURIO}", make) / "quarkus-run.jar"


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """The cache's folder of this name; `make` fills it when it is not there yet. One process at a time does so."""
    folder = cache() / name
    if folder.is_dir():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        for left in cache().glob("part-*"):  # of a process that was killed: nobody else is here
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=cache()))
        try:
            make(part)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _fetch(title: str, version: str, wanted: dict[str, str], target: Path, console: Console | None) -> None:
    """Put the files of these coordinates into `target`, each with the hash that the lock says."""
    try:
        import requests
    except ImportError:
        raise ConfigError(_without_extra(title)) from None
    with _progress(title, version, len(wanted), console) as advance:
        context = _context(target / "repository", advance)
        for coordinate, digest in wanted.items():
            try:
                path = _download(context, coordinate)
            except (requests.RequestException, RuntimeError, OSError) as error:
                raise ConfigError(_unreachable(title, version, error)) from error
            if _sha256(path) != digest:
                raise ConfigError(
                    f"{coordinate} is not the file that jars.lock names (another SHA-256): try again; "
                    "if it stays so, the repository or a proxy in between hands out something else"
                )
            path.rename(target / path.name)
    shutil.rmtree(target / "repository")


def _download(context: Any, coordinate: str) -> Path:
    import requests

    group, artifact, version, *rest = coordinate.split(":")
    wanted = context.project(group, artifact).at_version(version).artifact(*rest)
    cut_off = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    for attempt in stamina.retry_context(on=cut_off, attempts=3, wait_initial=0.5):
        with attempt:
            try:
                return Path(wanted.resolve())
            except BaseException:
                wanted.cached_path.unlink(missing_ok=True)  # jgo would take the half of a file for the whole
                raise
    raise AssertionError("retry_context ends by returning or raising")


def _context(repository: Path, advance: Callable[[int], None]) -> Any:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise ConfigError(_without_extra("the local stack")) from None

    @contextmanager
    def one_file(name: str, size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    return MavenContext(
        resolver=PythonResolver(progress_callback=one_file),
        repo_cache=repository,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},  # a mirror set for jgo counts here too
        timeout=30,
    )


@contextmanager
def _progress(title: str, version: str, files: int, console: Console | None) -> Iterator[Callable[[int], None]]:
    if console is None:
        yield lambda size: None
        return
    size = _MEGABYTES[title]
    what = f"{files} files, {size} MB" if files > 1 else f"{size} MB"
    console.print(f"Fetching {title} {version} ({what}), once; it is kept in {cache()}", soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=size * 1_000_000)
        yield lambda fetched: progress.advance(task, fetched)


def _without_extra(title: str) -> str:
    return (
        f"{title} is fetched by jgo, which is not installed: `pip install 'weighlock[local]'`; "
        "or name a Kafka and a registry that you have in WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY"
    )


def _unreachable(title: str, version: str, error: Exception) -> str:
    return (
        f"cannot fetch {title} {version} from the Maven repository ({error}): check the network and the proxy settings, "
        "or name a mirror in jgo's settings ([repositories] central = …); "
        f"or copy the folder {cache()} from a machine that has it; "
        "or name a Kafka and a registry that you have in WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lock() -> dict[str, str]:
    return {coordinate: digest for digest, coordinate in (line.split() for line in _LOCK.read_text().splitlines())}


def _kafka_lock() -> dict[str, str]:
    return {coordinate: digest for coordinate, digest in _lock().items() if coordinate != _APICURIO}


def _relock() -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = _context(Path(folder), lambda size: None)
        found, more = context.resolver.resolve([context.create_dependency(root) for root in _KAFKA_ROOTS])
        artifacts = [dependency.artifact for dependency in found + more]
        coordinates = sorted(f"{one.groupId}:{one.artifactId}:{one.version}" for one in artifacts)
        for coordinate in [*coordinates, _APICURIO]:
            print(_sha256(_download(context, coordinate)), coordinate)


if __name__ == "__main__":
    _relock()
