"""What is started for the local stack: the settings and command lines of the two Java programs."""

from __future__ import annotations

from pathlib import Path

# One node, small, quick to start and quick to notice: a development broker, not an example for production.
_SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.retention.hours=168
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
background.threads=2
"""

_JVM = (
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"),
    *("--enable-native-access=ALL-UNNAMED", "-Djava.awt.headless=true"),
)
# Only what Kafka itself finds worth a warning goes to its log.
_QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")


def server_properties(logs: Path, kafka: int, controller: int) -> str:
    """The broker's settings file: its data folder, its port and that of the controller in the same process."""
    return _SERVER.format(logs=logs, kafka=kafka, controller=controller).lstrip()


def format_kafka(java: Path, class_path: list[Path], properties: Path, cluster_id: str) -> list[str]:
    """Make the broker's data folder ready for its first start."""
    tool = ("kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", cluster_id, "--config", str(properties))
    return [*_java(java, "256m", class_path), *tool]


def run_kafka(java: Path, class_path: list[Path], properties: Path, heap: str) -> list[str]:
    """Broker and controller in one process (KRaft)."""
    return [*_java(java, heap, class_path), "kafka.Kafka", str(properties)]


def run_registry(java: Path, jar: Path, port: int, management_port: int, kafka: str, folder: Path) -> list[str]:
    """Apicurio with `kafkasql` storage: its journal is a topic of our Kafka, its database is rebuilt in memory from that."""
    settings = {
        "java.io.tmpdir": folder,
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.http.access-log.enabled": "false",
        'quarkus.log.category."org.apache.kafka".level': "WARN",
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": management_port,
        "quarkus.otel.sdk.disabled": "true",
        "apicurio.storage.kind": "kafkasql",
        "apicurio.kafkasql.bootstrap.servers": kafka,
        "apicurio.kafkasql.consumer.poll.timeout": 250,  # it waits this out four times before it serves (default: 5 s)
        "apicurio.storage.snapshot.location": folder,
        "apicurio.import.work-dir": folder,
    }
    return [str(java), "-Xmx256m", *_JVM, *(f"-D{name}={value}" for name, value in settings.items()), "-jar", str(jar)]


def _java(java: Path, heap: str, class_path: list[Path]) -> list[str]:
    return [str(java), f"-Xmx{heap}", *_JVM, *_QUIET, "-cp", ":".join(map(str, class_path))]
