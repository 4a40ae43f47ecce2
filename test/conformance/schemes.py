"""How a key becomes a partition: the schemes of the vectors. Others need their hash added here."""

import bisect
import hashlib
import zlib

from wire import Damaged, blob, message, number, text

M32 = 0xFFFFFFFF


def murmur3(key):
    """MurmurHash3 x86_32, seed 0."""
    h = 0
    end = len(key) & ~3
    for i in range(0, end, 4):
        h ^= _mix(int.from_bytes(key[i : i + 4], "little"))
        h = ((h << 13) | (h >> 19)) & M32
        h = (h * 5 + 0xE6546B64) & M32
    if end < len(key):
        h ^= _mix(int.from_bytes(key[end:], "little"))
    h ^= len(key)
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & M32
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & M32
    return h ^ (h >> 16)


def _mix(k):
    k = (k * 0xCC9E2D51) & M32
    k = ((k << 15) | (k >> 17)) & M32
    return (k * 0x1B873593) & M32


def crc16(key):
    """CRC-16/XMODEM, as Redis Cluster."""
    crc = 0
    for byte in key:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


SLOT_HASHES = {"murmur3": murmur3, "crc16": crc16, "crc32": zlib.crc32}
# hash, number of tokens from 0 on
RANGE_HASHES = {
    "murmur3": (murmur3, 2**32),
    "md5": (lambda key: int.from_bytes(hashlib.md5(key).digest(), "big"), 2**128),
    "md5-32": (lambda key: int.from_bytes(hashlib.md5(key).digest()[:4], "big"), 2**32),
}

COMPOUND = {1: ("separator", blob, False), 2: ("length_prefix", number, False)}
COMPOUND_FIELD = ("compound", lambda b: message(b, COMPOUND), False)
HASH_SLOTS = {
    1: ("slots", number, False),
    2: ("hash", text, False),
    3: ("hash_tags", number, False),
    4: COMPOUND_FIELD,
    5: ("routing_slots", number, False),
    6: ("routing_partition_size", number, False),
}
RANGE = {1: ("split_points", blob, True)}
HASH_RANGE = {
    1: ("hash", text, False),
    2: ("partitions", number, False),
    3: ("split_points", text, True),
    4: COMPOUND_FIELD,
}
RING_NODE = {1: ("node", text, False), 2: ("tokens", text, True)}
RING = {1: ("hash", text, False), 2: ("nodes", lambda b: message(b, RING_NODE), True), 3: COMPOUND_FIELD}
ENTRY = {
    1: ("key", blob, False),
    2: ("prefix", blob, False),
    3: ("geography", text, False),
    4: ("partition", number, False),
    5: ("spread", number, False),
}
DIRECTORY = {
    1: ("entries", lambda b: message(b, ENTRY), True),
    2: ("partitions", number, False),
    3: ("separator", text, False),
    4: ("fallback", lambda b: scheme_of(b), False),
}
SCHEME = {
    1: ("hash_slots", lambda b: message(b, HASH_SLOTS), False),
    2: ("range", lambda b: message(b, RANGE), False),
    3: ("hash_range", lambda b: message(b, HASH_RANGE), False),
    4: ("ring", lambda b: message(b, RING), False),
    5: ("directory", lambda b: message(b, DIRECTORY), False),
}


def scheme_of(data):
    """Returns the number of partitions and a function from a key to its partition."""
    kinds = [(name, value) for name, value in message(data, SCHEME).items() if value is not None]
    if len(kinds) != 1:
        raise Damaged("a scheme of no known kind")
    name, value = kinds[0]
    compilers = {
        "hash_slots": hash_slots,
        "range": ranges,
        "hash_range": hash_range,
        "ring": ring,
        "directory": directory,
    }
    return compilers[name](value)


def hashed_part(tags, compound):
    if tags:
        return tagged
    if not compound:
        return lambda key: key
    if compound["separator"]:
        return lambda key: key.split(compound["separator"], 1)[0]
    width = compound["length_prefix"]

    def prefixed(key):
        end = width + int.from_bytes(key[:width], "big")
        return key[width:end] if len(key) >= width and end <= len(key) else key

    return prefixed


def tagged(key):
    """What stands between the first { and the next }, when that is not empty."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    return key[start + 1 : end] if start >= 0 and end > start + 1 else key


def known(table, name):
    if name not in table:
        raise Damaged(f"the hash {name} is not known here")
    return table[name]


def ascending(points):
    if any(a >= b for a, b in zip(points, points[1:])):
        raise Damaged("ranges overlap")
    return points


def hash_slots(s):
    slots = s["slots"] or 0
    if slots < 1:
        raise Damaged("no slots")
    if s["routing_slots"] not in (None, 0, slots) or s["routing_partition_size"] not in (None, 0, 1):
        raise Damaged("routing slots are not known here")
    compute = known(SLOT_HASHES, s["hash"])
    part = hashed_part(s["hash_tags"], s["compound"])
    return slots, lambda key: compute(part(key)) % slots


def ranges(s):
    points = ascending(s["split_points"])
    return len(points) + 1, lambda key: bisect.bisect_right(points, key)


def hash_range(s):
    compute, size = known(RANGE_HASHES, s["hash"])
    part = hashed_part(False, s["compound"])
    count = s["partitions"] or 0
    points = ascending([int(p) for p in s["split_points"]])
    if not points:
        points = [i * size // count for i in range(1, count)]
    if len(points) != count - 1:
        raise Damaged(f"{len(points)} split points for {count} partitions")
    return count, lambda key: bisect.bisect_right(points, compute(part(key)))


def ring(s):
    """Partition i holds the tokens in (t[i-1], t[i]] of all tokens sorted; the first one wraps around."""
    compute, _ = known(RANGE_HASHES, s["hash"])
    part = hashed_part(False, s["compound"])
    tokens = ascending(sorted(int(t) for n in s["nodes"] for t in n["tokens"]))
    if not tokens:
        raise Damaged("a ring without tokens")
    return len(tokens), lambda key: bisect.bisect_left(tokens, compute(part(key))) % len(tokens)


def directory(s):
    _, fallback = s["fallback"]
    separator = s["separator"] or "/"
    entries = []
    for e in s["entries"]:
        whole = e["key"] is not None
        match = e["key"] if whole else e["prefix"]
        if match is None:
            match = (e["geography"] + separator).encode()
        entries.append((match, whole, e["partition"] or 0, e["spread"] or 1))
    # The longest match wins; of a key and a prefix of the same length, the key.
    entries.sort(key=lambda e: (len(e[0]), e[1]), reverse=True)

    def partition_of(key):
        for match, whole, partition, spread in entries:
            if key == match if whole else key.startswith(match):
                return partition + (murmur3(key) % spread if spread > 1 else 0)
        return fallback(key)

    return s["partitions"] or 0, partition_of
