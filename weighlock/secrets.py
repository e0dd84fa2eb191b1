"""Secrets at rest: a ring of keys, files that only those keys open, and the store of named secrets that the settings fall back on.

Everything of the kind lies in one folder (`settings.state`): `*.sealed` files, and `secrets.key` where no key is given from outside.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from weighlock.errors import ConfigError

KEY, KEY_FILE = "WEIGHLOCK_SECRETS_KEY", "WEIGHLOCK_SECRETS_KEY_FILE"
FORM = "a key is 32 bytes in URL-safe base64, such as `openssl rand -base64 32 | tr +/ -_` prints"


class KeyRing:
    """Fernet keys: the first one seals, each of them opens. They come from the environment (several with commas), from the file that the
    environment names (one a line), or else from `secrets.key` in the folder, which is made at first need with mode 0600.

    Read anew at each use, so that a long-running worker follows a rotation. Who writes holds `locked(path)`, from the look at the keys
    until what they sealed is on the disk: else it could be sealed by a key that a rotation has just thrown away.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "secrets.key"

    @property
    def given(self) -> str | None:
        """Who gives the keys from outside; None where they are the folder's own."""
        return next((name for name in (KEY, KEY_FILE) if os.environ.get(name)), None)

    def seal(self, text: str) -> bytes:
        keys = self._keys()
        if not keys:
            write_private(self.path, _new().encode())
            keys = self._keys()
        return _ring(keys).encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """`InvalidToken` where none of the keys fits, `ConfigError` where the keys themselves are wrong."""
        keys = self._keys()
        if not keys:
            raise InvalidToken
        return _ring(keys).decrypt(sealed).decode()

    def begin(self) -> None:
        """A new key in front; with keys from outside it has to be there already."""
        if self.given is None:
            write_private(self.path, "\n".join([_new(), *self._keys()]).encode())
        elif len(self._keys()) < 2:
            raise ConfigError(f"{self.given}: put a new key in front of the old one, rotate, then take the old one away ({FORM})")

    def finish(self) -> None:
        """The old keys open nothing any more: forget our own."""
        if self.given is None:
            write_private(self.path, self._keys()[0].encode())

    def _keys(self) -> list[str]:
        if self.given == KEY:
            return _checked(os.environ[KEY].split(","), KEY)
        path = Path(os.environ[KEY_FILE]) if self.given == KEY_FILE else self.path
        try:
            if self.given is None and path.stat().st_mode & 0o077:
                raise ConfigError(f"{path}: others can read this key: chmod 600 it, and rotate it if they may have")
            return _checked(path.read_text().splitlines(), str(path))
        except FileNotFoundError:
            if self.given is None:
                return []
            raise ConfigError(f"{KEY_FILE}: there is no {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot read this key: {type(error).__name__}") from None


class SealedFile:
    """A text in a file that its folder's keys open; replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path, self._keys = path, KeyRing(path.parent)

    def read(self) -> str | None:
        """None where there is no file; `InvalidToken` where the keys do not fit."""
        for again in (True, True, False):
            try:
                return self._keys.open(self.path.read_bytes())
            except FileNotFoundError:
                return None
            except InvalidToken:
                if not again:  # else a rotation may have passed between the two files
                    raise
        raise AssertionError

    def write(self, text: str) -> None:
        """On the disk when it returns."""
        with locked(self._keys.path):
            write_private(self.path, self._keys.seal(text))


class SecretStore:
    """Secrets by name, such as `hubspot.token`, in one sealed file."""

    def __init__(self, folder: Path) -> None:
        self._file = SealedFile(folder / "secrets.sealed")

    def values(self) -> dict[str, str]:
        return {name: one["value"] for name, one in self._read().items()}

    def times(self) -> dict[str, str]:
        """When each was set: ISO 8601, UTC."""
        return {name: one["at"] for name, one in self._read().items()}

    def put(self, name: str, value: str) -> None:
        with locked(self._file.path):
            held = {**self._read(), name: {"value": value, "at": datetime.now(UTC).isoformat(timespec="seconds")}}
            self._file.write(json.dumps(held))

    def _read(self) -> Mapping[str, dict[str, str]]:
        try:
            held: dict[str, dict[str, str]] = json.loads(self._file.read() or "{}")
            return held
        except InvalidToken:
            raise ConfigError(f"{self._file.path}: the keys at hand do not open it: is {KEY} or {KEY_FILE} that of this folder?") from None
        except OSError as error:
            raise ConfigError(f"{self._file.path}: cannot be read: {type(error).__name__}") from None


def rotate(folder: Path) -> list[str]:
    """Seal every file of the folder with a new key; the names of those files.

    Each file is replaced as a whole, and the old key is kept until the last one is done: whenever this is broken off, all can be read,
    and done again it goes on. Workers wait for it where they write, and need no restart.
    """
    ring = KeyRing(folder)
    with locked(ring.path):
        texts = {path: _opened(path) for path in sorted(folder.glob("*.sealed"))}  # first: if one cannot be opened, no key is changed
        ring.begin()
        for path, text in texts.items():
            write_private(path, ring.seal(text))
        ring.finish()
    return [path.name for path in texts]


def _opened(path: Path) -> str:
    try:
        return SealedFile(path).read() or ""
    except InvalidToken:
        raise ConfigError(f"{path}: the keys at hand do not open it, so nothing was changed") from None


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read; on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may bring the old file back
    finally:
        os.close(folder)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold off every other process that locks the same path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, and with the process
        yield


def _new() -> str:
    return Fernet.generate_key().decode()


def _ring(keys: list[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _checked(lines: list[str], where: str) -> list[str]:
    keys = [line.strip() for line in lines if line.strip()]
    try:
        _ring(keys)
    except ValueError:
        raise ConfigError(f"{where}: no such key, or none: {FORM}") from None
    return keys
