"""The command line. Exit status: 0 done, 1 not as it should be (or a crash), 2 settings or arguments are wrong, 3 credentials were refused,
4 something we need is away."""

from __future__ import annotations

import sys

from rich.console import Console

from weighlock.cli.app import app
from weighlock.errors import AuthError, ConfigError, TransientError, WeighlockError


def main() -> None:
    """Run the command; our own errors become one readable line each and an exit status, never a traceback."""
    errors = Console(stderr=True, highlight=False)
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            errors.print(f"[red]wrong:[/] {problem}", markup=True, soft_wrap=True)
        sys.exit(2)
    except AuthError as error:
        errors.print(f"[red]refused:[/] {error}", soft_wrap=True)
        sys.exit(3)
    except TransientError as error:
        errors.print(f"[red]away:[/] {error}", soft_wrap=True)
        sys.exit(4)
    except WeighlockError as error:
        errors.print(f"[red]failed:[/] {error}", soft_wrap=True)
        sys.exit(1)
