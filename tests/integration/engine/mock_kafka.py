"""librdkafka's mock cluster as a broker of its own: `python mock_kafka.py '{"topics": {"in": 1}, ...}'` prints `mock at ADDRESS` and stays.

Two brokers; topics named in `slow` are led by the second one, which answers after `delay_ms`. `errors` are answers that the first requests
of a kind get: [[api key, error code, how many], ...]. What it cannot do: facts/faust.md §9.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from pathlib import Path
from typing import Any

import confluent_kafka

POINTER, TEXT, INT, SHORT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int16
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "rd_kafka_conf_new": (POINTER, []),
    "rd_kafka_new": (POINTER, [INT, POINTER, TEXT, ctypes.c_size_t]),
    "rd_kafka_mock_cluster_new": (POINTER, [POINTER, INT]),
    "rd_kafka_mock_cluster_bootstraps": (TEXT, [POINTER]),
    "rd_kafka_mock_topic_create": (INT, [POINTER, TEXT, INT, INT]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [POINTER, ctypes.c_int32]),
    "rd_kafka_mock_broker_set_rtt": (INT, [POINTER, ctypes.c_int32, INT]),
    "rd_kafka_mock_partition_set_leader": (INT, [POINTER, TEXT, ctypes.c_int32, ctypes.c_int32]),
    "rd_kafka_mock_coordinator_set": (INT, [POINTER, TEXT, TEXT, ctypes.c_int32]),
    "rd_kafka_mock_push_request_errors_array": (None, [POINTER, SHORT, ctypes.c_size_t, ctypes.POINTER(INT)]),
}


def library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka's wheel brings along."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


def start(spec: dict[str, Any]) -> str:
    """The address of a cluster with these topics; it lives as long as this process."""
    rd = library()
    client = rd.rd_kafka_new(0, rd.rd_kafka_conf_new(), ctypes.create_string_buffer(512), 512)
    cluster = rd.rd_kafka_mock_cluster_new(client, 2)
    rd.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    for group in spec.get("groups", []):
        rd.rd_kafka_mock_coordinator_set(cluster, b"group", group.encode(), 1)
    for topic, partitions in spec["topics"].items():
        rd.rd_kafka_mock_topic_create(cluster, topic.encode(), partitions, 1)
        for partition in range(partitions):
            rd.rd_kafka_mock_partition_set_leader(cluster, topic.encode(), partition, 2 if topic in spec.get("slow", []) else 1)
    rd.rd_kafka_mock_broker_set_rtt(cluster, 2, spec.get("delay_ms", 0))
    for api, code, count in spec.get("errors", []):
        rd.rd_kafka_mock_push_request_errors_array(cluster, api, count, (INT * count)(*([code] * count)))
    return str(rd.rd_kafka_mock_cluster_bootstraps(cluster).decode())


if __name__ == "__main__":
    print(f"\nmock at {start(json.loads(sys.argv[1]))}", flush=True)
    signal.pause()
