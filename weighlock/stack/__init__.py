"""A real Kafka and registry on this machine, without Docker."""

from weighlock.stack.keeper import Status, down, status, up
from weighlock.stack.local import Stack

__all__ = ["Stack", "Status", "down", "status", "up"]
