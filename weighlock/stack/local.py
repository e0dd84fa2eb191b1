"""Apache Kafka and Apicurio Registry as child processes of this one."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from weighlock import processes
from weighlock.errors import ConfigError
from weighlock.stack import commands, jars, java, ready
from weighlock.stack.state import State, claim

_GRACE = 20.0


class Stack:
    """A Kafka and a registry that live as long as the `with` block, or as this process: they die with it, whatever kills it.

        with Stack(Path(".weighlock")) as stack:
            stack.kafka      # "127.0.0.1:21034"
            stack.registry   # "http://127.0.0.1:20511/apis/ccompat/v7"

    The ports are chosen once and kept in `<data>/stack.json`, the data under `<data>` too. Downloads and steps are shown on
    `console`. `heap` is the broker's largest heap.

    Entering raises ConfigError: the stack of this folder is already running, its port is taken, the programs cannot be
    fetched, or one of the two does not start (with the end of its log).
    """

    def __init__(self, data: Path, console: Console | None = None, heap: str = "512m") -> None:
        self._data = data.resolve()
        self._console = console
        self._heap = heap
        self._closing = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as closing:  # undone if we do not get to the end
            self._state = closing.enter_context(claim(self._data))
            closing.callback(self._stop)
            self._java = java.find()
            self._class_path = jars.kafka(self._console)
            registry_jar = jars.apicurio(self._console)
            self._start_kafka(self._state)
            self._start_registry(self._state, registry_jar)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.close()

    @property
    def kafka(self) -> str:
        """host:port of the broker."""
        return self._state.kafka

    @property
    def registry(self) -> str:
        """The address of the registry's Confluent API."""
        return self._state.registry

    def kill_kafka(self) -> int:
        """SIGKILL the broker, for fault tests. Returns its pid, once it is gone. `start_kafka` brings it back."""
        return self._kill("kafka")

    def start_kafka(self) -> None:
        """Start the broker again after `kill_kafka`: same port, same data. Returns when it answers."""
        self._start_kafka(self._state)

    def kill_registry(self) -> int:
        """The same for the registry."""
        return self._kill("registry")

    def start_registry(self) -> None:
        """Start the registry again after `kill_registry`: same port; what it held it reads from Kafka. Returns when it answers."""
        self._start_registry(self._state, jars.apicurio(self._console))

    def _kill(self, name: str) -> int:
        process = self._processes[name]
        process.kill()
        process.wait()
        return process.pid

    def ended(self) -> str | None:
        """What is wrong when one of the two has ended by itself, else None."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                return f"{name} has ended with status {process.returncode}: see {self._log(name)}"
        return None

    def _start_kafka(self, state: State) -> None:
        self._say(f"Starting Apache Kafka {jars.KAFKA} at {state.kafka}")
        self._check_port("kafka", state.kafka_port)
        folder, properties = self._data / "kafka", self._data / "server.properties"
        properties.write_text(commands.server_properties(folder, state.kafka_port, state.controller_port))
        if state.cluster_id is None:
            state.cluster_id = self._format(folder, properties)
            state.save()
        self._run("kafka", commands.run_kafka(self._java, self._class_path, properties, self._heap))
        ready.wait_for_kafka(state.kafka, state.cluster_id, self.ended)

    def _format(self, folder: Path, properties: Path) -> str:
        shutil.rmtree(folder, ignore_errors=True)  # the half of a format that was cut off
        cluster_id = "w" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        command = commands.format_kafka(self._java, self._class_path, properties, cluster_id)
        if processes.spawn(command, log_path=self._log("format")).wait():
            raise ConfigError(f"Kafka could not format {folder}: {self._log('format').read_text().strip()[-800:]}")
        return cluster_id

    def _start_registry(self, state: State, jar: Path) -> None:
        self._say(f"Starting Apicurio Registry {jars.APICURIO} at {state.registry}")
        folder = self._data / "registry"
        folder.mkdir(exist_ok=True)
        self._check_port("registry", state.registry_port)
        run = commands.run_registry(self._java, jar, state.registry_port, state.management_port, state.kafka, folder)
        self._run("registry", run)
        ready.wait_for_registry(state.registry, self.ended)

    def _check_port(self, name: str, port: int) -> None:
        if not processes.is_free(port):
            raise ConfigError(
                f"port {port}, on which the {name} of {self._data} listens, is taken by another program: end that one, "
                f"or remove {self._data} (and the data in it), so that other ports are chosen"
            )

    def _run(self, name: str, command: list[str]) -> None:
        process = processes.spawn(command, log_path=self._log(name))
        self._processes[name] = process
        self._state.pids[name] = process.pid
        self._state.save()

    def _stop(self) -> None:
        for name in ("registry", "kafka"):  # the registry writes to Kafka until it is gone
            if name in self._processes:
                processes.stop(self._processes.pop(name), _GRACE)

    def _log(self, name: str) -> Path:
        return self._data / f"{name}.log"

    def _say(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text, soft_wrap=True)
