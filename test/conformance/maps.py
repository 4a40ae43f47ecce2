"""The map of a keyspace: snapshots, changes, healing, and the digest by which two copies are compared."""

import hashlib
import struct

from schemes import scheme_of
from wire import Damaged, blob, message, number, text

LEADER, FOLLOWER, LEARNER = 0, 1, 2
ROLES = ("leader", "follower", "learner")
STATES = ("initializing", "available", "leaving")
PARTITIONS_MAX = 1_048_576
STRIDE_MAX = 32
SNAPSHOT_BYTES_MAX = 256 << 20
BLOCK = 1024


def one(shape):
    return lambda data: message(blob(data), shape)


def small(value):
    """64-bit numbers of the protocol stay below 2^53."""
    if number(value) >= 2**53:
        raise Damaged(f"{value} is out of range")
    return value


GENERATION = {1: ("incarnation", small, False), 2: ("number", small, False)}
KNOWN = {1: ("keyspace", text, False), 2: ("generation", one(GENERATION), False)}
NODE = {1: ("id", text, False), 2: ("address", text, False)}
REPLICA = {
    1: ("node", text, False),
    2: ("role", number, False),
    3: ("state", number, False),
    4: ("in_sync", number, False),
}
RECORD = {1: ("partition", number, False), 2: ("epoch", small, False), 3: ("replicas", one(REPLICA), True)}
SPEC = {1: ("name", text, False), 2: ("scheme", blob, False)}
PACKED = {
    1: ("epochs", blob, False),
    2: ("replica_nodes", blob, True),
    3: ("replica_flags", blob, False),
    4: ("flag_rows", blob, False),
}
COLUMNS = {
    1: ("keyspace", one(SPEC), False),
    2: ("generation", one(GENERATION), False),
    3: ("nodes", one(NODE), True),
    4: ("partitions", number, False),
    5: ("stride", number, False),
    6: ("epochs", blob, False),
    7: ("replica_nodes", blob, False),
    8: ("replica_flags", blob, False),
    9: ("packed", one(PACKED), False),
}
CHUNK = {
    1: ("keyspace", text, False),
    2: ("generation", one(GENERATION), False),
    3: ("index", number, False),
    4: ("chunks", number, False),
    5: ("data", blob, False),
    6: ("checksum", text, False),
}
DELTA = {
    1: ("keyspace", text, False),
    2: ("from", one(GENERATION), False),
    3: ("to", one(GENERATION), False),
    4: ("records", one(RECORD), True),
    5: ("nodes", one(NODE), True),
}
DROPPED = {1: ("keyspace", text, False)}
PROGRESS = {1: ("cluster_id", text, False), 2: ("current", one(KNOWN), True), 3: ("spread_ms", number, False)}
EVENT = {
    1: ("snapshot", one(CHUNK), False),
    2: ("delta", one(DELTA), False),
    3: ("dropped", one(DROPPED), False),
    4: ("progress", one(PROGRESS), False),
}
ERROR = {
    1: ("code", text, False),
    2: ("message", text, False),
    3: ("field", text, False),
    5: ("remedy", text, False),
    6: ("keyspace", text, False),
    7: ("record", one(RECORD), False),
    8: ("generation", one(GENERATION), False),
    9: ("leader_address", text, False),
}


def generation_of(wire):
    if wire is None:
        raise Damaged("a generation is missing")
    return (wire["incarnation"] or 0, wire["number"] or 0)


def unpack(data, count):
    """A packed column: see PackedColumns in map.proto."""
    values, at = [], 0
    while len(values) < count:
        n = min(BLOCK, count - len(values))
        base = shift = 0
        while True:
            if at >= len(data) or shift > 49:
                raise Damaged("a column ends too early, or a base is beyond 2^53")
            byte = data[at]
            at += 1
            base |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
        width = data[at] if at < len(data) else -1
        if not (0 <= width <= 32 or width == 64):
            raise Damaged(f"a width of {width} bits")
        end = at + 1 + (n * width + 7) // 8
        if end > len(data):
            raise Damaged("a column ends in the middle of a block")
        bits = int.from_bytes(data[at + 1 : end], "little")
        mask = (1 << width) - 1
        values.extend(base + (bits >> (i * width) & mask) for i in range(n))
        at = end
    if at != len(data):
        raise Damaged("bytes after the end of a column")
    return values


def check(partition, epoch, replicas):
    """What holds of every record, whoever sent it. A replica is (node id, role, state, in sync)."""
    where = f"partition {partition} at epoch {epoch}"
    if not 1 <= epoch < 2**53:
        raise Damaged(f"{where}: an epoch out of range")
    if len({r[0] for r in replicas}) != len(replicas):
        raise Damaged(f"{where}: the same node twice")
    leaders = [i for i, r in enumerate(replicas) if r[1] == LEADER]
    if leaders not in ([], [0]):
        raise Damaged(f"{where}: a leader that does not stand alone and first")
    if leaders and not replicas[0][3]:
        raise Damaged(f"{where}: a leader that is not in sync")
    if any(r[1] == LEARNER and r[3] for r in replicas):
        raise Damaged(f"{where}: a learner that counts as in sync")
    if replicas and not any(r[3] for r in replicas):
        raise Damaged(f"{where}: no in-sync replica")


def record_of(wire):
    """Returns (partition, epoch, replicas). Roles and states count from 1 in records, and 0 is none."""
    replicas = []
    for r in wire["replicas"]:
        role, state = (r["role"] or 0) - 1, (r["state"] or 0) - 1
        if role not in range(len(ROLES)) or state not in range(len(STATES)):
            raise Damaged("a role or state of a version that is not known here")
        replicas.append((r["node"] or "", role, state, bool(r["in_sync"])))
    partition, epoch = wire["partition"] or 0, wire["epoch"] or 0
    check(partition, epoch, replicas)
    return partition, epoch, replicas


class Map:
    def __init__(self, data):
        wire = message(data, COLUMNS)
        spec = wire["keyspace"]
        if spec is None or spec["scheme"] is None:
            raise Damaged("a keyspace without a scheme")
        self.name = spec["name"]
        self.generation = generation_of(wire["generation"])
        partitions, stride = wire["partitions"] or 0, wire["stride"] or 0
        count, self.partition_of = scheme_of(spec["scheme"])
        if partitions != count or partitions > PARTITIONS_MAX or stride > STRIDE_MAX:
            raise Damaged(f"{partitions} partitions do not fit the scheme")
        self.addresses = {n["id"]: n["address"] or "" for n in wire["nodes"]}
        names = [n["id"] for n in wire["nodes"]]
        epochs, cells, flags = columns_of(wire, partitions, stride)
        self.records = []
        for p in range(partitions):
            row = range(p * stride, (p + 1) * stride)
            replicas = replicas_of(p, [cells[c] for c in row], [flags[c] for c in row], names)
            check(p, epochs[p], replicas)
            self.records.append((epochs[p], replicas))

    def leader(self, partition):
        replicas = self.records[partition][1]
        return replicas[0][0] if replicas and replicas[0][1] == LEADER else None

    def apply(self, delta):
        """Checks everything before it changes anything. A record that is older than the one held is passed over."""
        records = [record_of(r) for r in delta["records"]]
        addresses = {n["id"]: n["address"] or "" for n in delta["nodes"]}
        for partition, _, replicas in records:
            if partition >= len(self.records):
                raise Damaged(f"a record of partition {partition} of {len(self.records)}")
            if any(r[0] not in self.addresses and r[0] not in addresses for r in replicas):
                raise Damaged(f"partition {partition} names a node that the map does not name")
        self.addresses.update(addresses)
        for partition, epoch, replicas in records:
            if epoch >= self.records[partition][0]:
                self.records[partition] = (epoch, replicas)
        self.generation = generation_of(delta["to"])

    def heal(self, error):
        """Takes over what an owner said. Returns whether it was news."""
        partition, epoch, replicas = record_of(error["record"])
        if partition >= len(self.records) or epoch <= self.records[partition][0]:
            return False
        self.records[partition] = (epoch, replicas)
        for node, role, _, _ in replicas:
            if role == LEADER and error["leader_address"]:
                self.addresses[node] = error["leader_address"]
            self.addresses.setdefault(node, "")
        return True

    def digest(self):
        out = hashlib.sha256(f"{self.name} {self.generation[0]}.{self.generation[1]}\n".encode())
        for p, (epoch, replicas) in enumerate(self.records):
            row = ",".join(f"{n}:{ROLES[role]}:{STATES[state]}:{int(sync)}" for n, role, state, sync in replicas)
            out.update(f"{p} {epoch} {row}\n".encode())
        return out.hexdigest()


def columns_of(wire, partitions, stride):
    packed, cells = wire["packed"], partitions * stride
    if packed is None:
        epochs, nodes, flags = (wire[c] or b"" for c in ("epochs", "replica_nodes", "replica_flags"))
        if (len(epochs), len(nodes), len(flags)) != (8 * partitions, 4 * cells, cells):
            raise Damaged("columns that do not fit together")
        numbers = struct.unpack(f"<{partitions}d", epochs)
        if any(e != e // 1 for e in numbers):
            raise Damaged("an epoch that is no whole number")
        return [int(e) for e in numbers], struct.unpack(f"<{cells}i", nodes), flags
    if len(packed["replica_nodes"]) != stride:
        raise Damaged("columns of nodes that do not fit the stride")
    places = [unpack(column, partitions) for column in packed["replica_nodes"]]
    nodes = [places[i][p] - 1 for p in range(partitions) for i in range(stride)]
    flag_rows = packed["flag_rows"] or b""
    flags = bytearray()
    for row in unpack(packed["replica_flags"] or b"", partitions):
        if (row + 1) * stride > len(flag_rows):
            raise Damaged(f"row {row} of flags is missing")
        flags += flag_rows[row * stride : (row + 1) * stride]
    return unpack(packed["epochs"] or b"", partitions), nodes, flags


def replicas_of(partition, nodes, flags, names):
    """In columns roles and states count from 0: role | state << 2 | in_sync << 4. -1 is no node; no node stands after it."""
    held = [n for n in nodes if n != -1]
    if held != list(nodes[: len(held)]) or any(not 0 <= n < len(names) for n in held):
        raise Damaged(f"partition {partition} names nodes {nodes} of {len(names)}")
    if any(f & 3 == 3 or f >> 2 & 3 == 3 for f in flags[: len(held)]):
        raise Damaged(f"partition {partition} has flags {flags}")
    return [(names[n], f & 3, f >> 2 & 3, bool(f & 16)) for n, f in zip(held, flags)]


class Follower:
    """All maps of one cluster, as the events of WatchMap or GetMap tell them. `Damaged` means: leave the stream, watch again."""

    def __init__(self):
        self.maps = {}
        self.incarnation = 0
        self.cluster_id = None
        self._parts = {}

    def take(self, data):
        event = message(data, EVENT)
        if event["snapshot"] is not None:
            self._chunk(event["snapshot"])
        elif event["delta"] is not None:
            self._delta(event["delta"])
        elif event["dropped"] is not None:
            self.maps.pop(event["dropped"]["keyspace"], None)
        elif event["progress"] is not None:
            self.cluster_id = event["progress"]["cluster_id"]

    def known(self):
        return [(name, m.generation) for name, m in self.maps.items()]

    def _chunk(self, chunk):
        name, index = chunk["keyspace"], chunk["index"] or 0
        key = (generation_of(chunk["generation"]), chunk["chunks"] or 0, chunk["checksum"])
        if index == 0:
            self._parts[name] = (key, [])
        part = self._parts.pop(name, None)
        if part is None or part[0] != key or len(part[1]) != index:
            raise Damaged(f"chunk {index} does not continue what came before")
        part[1].append(chunk["data"] or b"")
        if sum(map(len, part[1])) > SNAPSHOT_BYTES_MAX:
            raise Damaged("a snapshot that is too large")
        if index + 1 < key[1]:
            self._parts[name] = part
            return
        data = b"".join(part[1])
        if hashlib.sha256(data).hexdigest() != chunk["checksum"]:
            raise Damaged("the checksum does not match")
        self._replace(Map(data))

    def _replace(self, new):
        held = self.maps.get(new.name)
        if new.generation[0] < self.incarnation or (held and new.generation < held.generation):
            return
        if held and held.generation[0] == new.generation[0]:
            keep_newer(held, new)
        self.maps[new.name] = new
        self.incarnation = max(self.incarnation, new.generation[0])

    def _delta(self, delta):
        held = self.maps.get(delta["keyspace"])
        start, end = generation_of(delta["from"]), generation_of(delta["to"])
        # Known already, unless it tells of nodes alone: then it begins and ends at the generation that is held.
        if held and (end < held.generation or (end == held.generation and start != held.generation)):
            return
        if held is None or start != held.generation:
            raise Damaged(f"a delta from {start} does not continue {held and held.generation}")
        held.apply(delta)


def keep_newer(held, new):
    """An owner may have healed a record further than the snapshot knows."""
    for p, (old, now) in enumerate(zip(held.records, new.records)):
        if old[0] > now[0]:
            new.records[p] = old
            for replica in old[1]:
                new.addresses.setdefault(replica[0], held.addresses.get(replica[0], ""))
