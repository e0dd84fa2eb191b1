"""Where a key goes: Kafka's own default, murmur2, the same from every producer of ours (librdkafka's own default differs)."""

from __future__ import annotations


def murmur2(key: bytes) -> int:
    """The hash of Kafka's default partitioner, made positive as the Java client does."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h, left = (0x9747B28C ^ len(key)) & mask, len(key)
    i = 0
    while left >= 4:
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
        i, left = i + 4, left - 4
    for j in range(left - 1, -1, -1):
        h ^= key[i + j] << 8 * j
    if left:
        h = h * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def partition_of(key: str, partitions: int) -> int:
    return murmur2(key.encode()) % partitions
