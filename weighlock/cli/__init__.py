"""The command line. Exit status: 0 done, 1 not as it should be (or a crash), 2 settings or arguments are wrong, 3 credentials were refused,
4 something we need is away."""

from __future__ import annotations

import sys

from confluent_kafka import KafkaException
from rich.console import Console
from rich.text import Text

from weighlock.cli.app import app
from weighlock.errors import AuthError, ConfigError, TransientError, WeighlockError


def main() -> None:
    """Run the command; our own errors become one readable line each and an exit status, never a traceback."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            _say("wrong", problem)
        sys.exit(2)
    except AuthError as error:
        _say("refused", error)
        sys.exit(3)
    except TransientError as error:
        _say("away", error)
        sys.exit(4)
    except KafkaException as error:
        _say("away", f"Kafka: {error.args[0].str()}")
        sys.exit(4)
    except WeighlockError as error:
        _say("failed", error)
        sys.exit(1)


def _say(kind: str, message: object) -> None:
    Console(stderr=True).print(Text.assemble((f"{kind}:", "red"), f" {message}"), soft_wrap=True)
