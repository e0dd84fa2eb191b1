"""The command line: help everywhere, exit statuses that mean something, JSON where a script would read it."""

import json
import os
import subprocess
import sys

import pytest
from confluent_kafka import KafkaError, KafkaException

from weighlock import cli

COMMANDS = ["", "demo", "stack", "stack up", "stack down", "stack status", "topics", "topics apply", "topics check", "setup"]
COMMANDS += ["setup hubspot", "run", "up", "check", "trace", "status", "waiting", "secrets", "secrets set"]


def weighlock(*arguments, **env):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHLOCK_")}
    command = [sys.executable, "-m", "weighlock", *arguments]
    return subprocess.run(command, env=clean | env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    """Every command explains itself and ends with 0."""
    done = weighlock(*command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_exit_statuses_are_told():
    """The help says what the exit statuses mean."""
    assert "3 credentials refused" in " ".join(weighlock("--help").stdout.replace("│", " ").split())


@pytest.mark.parametrize("command", ["up", "run streams", "topics apply", "setup hubspot", "check", "trace C1", "status", "waiting"])
def test_wrong_settings_are_refused_together(command, tmp_path):
    """Three mistakes, three lines, status 2, and nothing was started."""
    path = tmp_path / "weighlock.toml"
    path.write_text('kafka = "nowhere"\nregistry = "ftp://x"\npartitions = 0\n')
    done = weighlock(*command.split(), WEIGHLOCK_CONFIG=str(path))
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("wrong:")]
    assert len(lines) == 3, done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_worker(tmp_path):
    """A worker that does not exist is a wrong argument, and those that exist are named."""
    done = weighlock("run", "sink-nowhere", WEIGHLOCK_CONFIG=str(tmp_path / "none.toml"))
    assert done.returncode == 2
    assert "source-acumatica, streams, sink-hubspot" in done.stderr


def test_a_worker_without_its_section(tmp_path):
    """A sink without [hubspot] refuses to start and says which section it needs."""
    path = tmp_path / "weighlock.toml"
    path.write_text('kafka = "127.0.0.1:9"\nregistry = "http://127.0.0.1:9"\n')
    done = weighlock("run", "sink-hubspot", WEIGHLOCK_CONFIG=str(path))
    assert done.returncode == 2
    assert "[hubspot]" in done.stderr


def test_status_of_no_stack(tmp_path):
    """A stack that does not run is status 1, and JSON for scripts."""
    done = weighlock("stack", "status", "--data", str(tmp_path / "none"), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ready"] is False


def test_a_kafka_that_is_away_is_one_line(monkeypatch, capsys):
    """What librdkafka raises while we read topics is status 4, and no traceback."""

    def away():
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "nobody listens"))

    monkeypatch.setattr(cli, "app", away)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 4
    assert "away: Kafka: nobody listens" in capsys.readouterr().err


def test_check_tells_everything_that_is_away(tmp_path):
    """`check` asks every system, whatever the others answered."""
    path = tmp_path / "weighlock.toml"
    path.write_text(
        'kafka = "127.0.0.1:9"\nregistry = "http://127.0.0.1:9"\n[hubspot]\ntoken = "pat-x"\nurl = "http://127.0.0.1:9"\n'
        '[acumatica]\nurl = "http://127.0.0.1:9"\ntenant = "T"\nclient_id = "c@T"\n'
        'client_secret = "hush-1"\nusername = "u"\npassword = "hush-2"\n'
    )
    done = weighlock("check", "--json", WEIGHLOCK_CONFIG=str(path))
    assert done.returncode == 1, done.stderr
    found = {row["part"]: row["state"] for row in json.loads(done.stdout)}
    assert found == dict.fromkeys(["kafka", "topics and registry", "acumatica", "hubspot"], "wrong")
    assert "hush" not in done.stdout + done.stderr
