"""A real Kafka and registry on this machine, without Docker."""

from weighlock.stack.keeper import Status, down, status, up
from weighlock.stack.local import Stack
from weighlock.stack.state import is_running

__all__ = ["Stack", "Status", "down", "is_running", "status", "up"]
