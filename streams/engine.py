"""A Faust app with every engine rule kept: settings that were measured, topics made by us, bytes in and out, guards around it.

Why: design.md (engine rules), facts/faust.md §10. The rules and their tests: tests/integration/engine.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import faust
import mode
from faust.auth import SASLCredentials, SSLCredentials

from schemas.topics import DEAD_LETTERS
from weighlock.errors import ConfigError
from weighlock.settings import Settings

#: Of the bytes topics and tables: Faust must neither decode nor encode (its None would be written as b"null").
RAW: Mapping[str, Any] = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw", "allow_empty": True}
#: A RocksDB per table and partition: small ones.
STORE_OPTIONS: Mapping[str, int] = {"block_cache_size": 16 << 20, "write_buffer_size": 8 << 20, "max_open_files": 256}


def engine(settings: Settings, name: str, worker: str = "0", **changed: Any) -> faust.App:
    """A Faust app `<prefix><name>` whose state lies under `<settings.state>/<name>-<worker>`; `changed` is for the tests of the rules."""
    folder = (settings.state / f"{name}-{worker}").absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)  # Faust makes its own folder, not those above it
    options: dict[str, Any] = {
        "broker": [f"kafka://{address}" for address in settings.kafka.split(",")],
        "broker_credentials": credentials(settings.kafka_options),
        "store": "rocksdb://?driver=rocksdict",
        "datadir": str(folder),
        "canonical_url": f"http://{name}-{worker}",
        "processing_guarantee": "at_least_once",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "consumer_auto_offset_reset": "earliest",
        # a broker that just came back may know no topics yet: who leads the group then assigns nothing, until it looks again
        "consumer_metadata_max_age_ms": 5_000,
        "broker_commit_interval": 0.3,
        "broker_max_poll_records": 500,
        "broker_session_timeout": 6,
        "broker_heartbeat_interval": 1,
        "broker_rebalance_timeout": 60,
        "stream_wait_empty": True,
        "producer_linger": 0.005,
        "producer_max_batch_size": 262_144,
        "producer_compression_type": "lz4",
        "producer_max_request_size": DEAD_LETTERS.room,  # one holds the largest record there is, and then some
        "table_standby_replicas": 0,
        "web_enabled": False,
        "web_tables_enabled": False,
        "worker_redirect_stdouts": False,
        "agent_supervisor": mode.CrashingSupervisor,
    }
    return faust.App(settings.prefix + name, **(options | changed))


def credentials(options: Mapping[str, str]) -> Any:
    """librdkafka's own settings in Faust's words. `ConfigError` for what we cannot carry over, so that nothing is silently ignored."""
    known = {"security.protocol", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"}
    known |= {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password"}
    unknown = sorted(options.keys() - known)
    if unknown:
        raise ConfigError(
            *(f"kafka_options.{name}: the stream worker cannot use it; known: {', '.join(sorted(known))}" for name in unknown)
        )
    protocol = options.get("security.protocol", "plaintext").upper()
    context = _tls(options) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        mechanism = options.get("sasl.mechanism") or options.get("sasl.mechanisms")
        return SASLCredentials(
            username=options.get("sasl.username"), password=options.get("sasl.password"), ssl_context=context, mechanism=mechanism
        )
    return SSLCredentials(context) if context else None


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl.ca.location"))
    if "ssl.certificate.location" in options:
        context.load_cert_chain(options["ssl.certificate.location"], options.get("ssl.key.location"), options.get("ssl.key.password"))
    return context


def topics(app: faust.App, names: Iterable[str]) -> Any:
    """One channel of bytes over these topics (with prefix), for one agent."""
    return app.topic(*names, **RAW)


def table(app: faust.App, name: str, partitions: int) -> Any:
    """A table of bytes; its changelog is `<prefix><app>-<name>-changelog` with the same number of partitions."""
    return app.Table(name, partitions=partitions, key_type=bytes, value_type=bytes, options=dict(STORE_OPTIONS))
