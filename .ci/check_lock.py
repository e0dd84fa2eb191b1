"""Is requirements.lock what pyproject.toml resolves to? With --write, make it so.

Resolving starts from the lock as it is, so newer releases elsewhere change nothing: only an input that the lock does not satisfy does.
"""

import difflib
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path("requirements.lock")


def resolve(start: Path | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock"
        if start:
            out.write_text(start.read_text())
        command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11"]
        command += ["--all-extras", "--group", "dev", "--generate-hashes", "--no-header"]
        subprocess.run([*command, "--quiet", "-o", str(out)], check=True, stdout=subprocess.DEVNULL)
        return out.read_text()


def main() -> int:
    if "--write" in sys.argv:
        LOCK.write_text(resolve(None))
        return 0
    if "://" in LOCK.read_text():
        print("requirements.lock names an address: make it again with `make lock`")
        return 1
    old, new = LOCK.read_text(), resolve(LOCK)
    if old != new:
        sys.stdout.writelines(list(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "locked", "resolved"))[:40])
        print("requirements.lock does not answer pyproject.toml any more: run `make lock` and commit it")
        return 1
    print("lock: consistent with pyproject.toml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
