"""
A minimal client of Cadastre in another language, after docs/protocol.md alone.

  client.py vectors FOLDER                 passes the conformance vectors, or says which it does not
  client.py live CONTROL_PLANE KEYSPACE    reads a map, writes and reads through it, heals it, watches one change
  client.py from-node NODE KEYSPACE        reads the map that a node has

Each line of standard output is one JSON object.
"""

import json
import pathlib
import queue
import sys
import uuid

import maps
import wire
from wire import Damaged, put


def say(**facts):
    print(json.dumps(facts), flush=True)


def vectors(folder):
    suites = {
        "maps.json": map_case,
        "routing.json": routing_case,
        "not-owner.json": not_owner_case,
        "malformed.json": malformed_case,
        "frames.json": frame_case,
    }
    passed, failed = 0, []
    for name, run in suites.items():
        for case in json.loads((pathlib.Path(folder) / name).read_text()):
            try:
                run(case)
                passed += 1
            except Exception as error:  # every failure is reported, not only the first
                failed.append(f"{name}: {case['story']}: {error!r}")
    say(passed=passed, failed=failed)
    return 1 if failed else 0


def same(what, found, expected):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def only(follower):
    return next(iter(follower.maps.values()), None)


def fed(events):
    follower = maps.Follower()
    for event in events:
        follower.take(bytes.fromhex(event))
    return follower


def map_case(case):
    follower = maps.Follower()
    for step in case["steps"]:
        follower.take(bytes.fromhex(step["event"]))
        held, expected = only(follower), step["map"]
        same("no map", held is None, expected is None)
        if held is None:
            continue
        generation = expected["generation"]
        same("generation", held.generation, (generation["incarnation"], generation["number"]))
        same("partitions", len(held.records), expected["partitions"])
        same("leaders", [held.leader(p) for p in (0, 1, len(held.records) - 1)], expected["leaders"])
        same("digest", held.digest(), expected["digest"])


def routing_case(case):
    held = only(fed(case["snapshot"]))
    for answer in case["answers"]:
        partition = held.partition_of(bytes.fromhex(answer["key"]))
        leader = held.leader(partition)
        found = {"partition": partition, "epoch": held.records[partition][0], "leader": leader}
        same("answer", {"key": answer["key"], **found, "address": held.addresses[leader]}, answer)


def not_owner_case(case):
    held = only(fed(case["snapshot"]))
    for step in case["steps"]:
        try:
            healed = held.heal(wire.message(bytes.fromhex(step["detail"]), maps.ERROR))
        except Damaged:
            healed = False
        leader = held.leader(case["partition"])
        found = (healed, held.records[case["partition"]][0], leader, held.addresses.get(leader))
        same("after NOT_OWNER", found, (step["healed"], step["epoch"], step["leader"], step["address"]))


def malformed_case(case):
    at = case["refusedAt"]
    follower = fed(case["events"][:at])
    before = only(follower) and only(follower).digest()
    try:
        follower.take(bytes.fromhex(case["events"][at]))
    except Damaged:
        same("the map", only(follower) and only(follower).digest(), before)
        return
    raise AssertionError("it was not refused")


def frame_case(case):
    same("frame", wire.framed(bytes.fromhex(case["message"])).hex(), case["framed"])


def bare(value):
    """grpc is given bytes and gives bytes: messages are written and read here."""
    return value


OPTIONS = [("grpc.max_receive_message_length", 8 << 20)]
PACKED_FORM = b"\x01"


def known_generations(number, known):
    """Fields `number` of KnownGeneration: keyspace = 1, generation = 2 (incarnation = 1, number = 2)."""
    return b"".join(put(number, put(1, name) + put(2, put(1, g[0]) + put(2, g[1]))) for name, g in known)


class Watch:
    """WatchMap over one stream: subscribe, take events, report what was applied."""

    def __init__(self, grpc, address, follower):
        self.follower = follower
        self.channel = grpc.insecure_channel(address, OPTIONS)
        self.requests = queue.Queue()
        # WatchMapRequest.subscribe = 1; in it watcher = 1, known = 2, forms = 3
        self.requests.put(
            put(1, put(1, "conformance") + known_generations(2, follower.known()) + put(3, PACKED_FORM))
        )
        method = self.channel.stream_stream("/cadastre.v1.Map/WatchMap", bare, bare)
        self.events = method(iter(self.requests.get, None), timeout=120)

    def until(self, done):
        for event in self.events:
            self.follower.take(event)
            # WatchMapRequest.applied = 2; in it applied = 1
            self.requests.put(put(2, known_generations(1, self.follower.known())))
            if done():
                return
        raise Damaged("the stream ended")

    def close(self):
        self.requests.put(None)
        self.events.cancel()
        self.channel.close()


class Kv:
    """Get and Put at the leader, healing the map from NOT_OWNER."""

    def __init__(self, grpc, held):
        self.grpc, self.map, self.channels, self.healed = grpc, held, {}, 0

    def put(self, key, value):
        # PutRequest: target = 1, request_id = 2, key = 3, value = 4
        self._call("Put", key, put(2, f"conformance-{uuid.uuid4().hex}:1") + put(3, key) + put(4, value))

    def get(self, key):
        # GetRequest: target = 1, key = 2. GetReply: found = 1, value = 2
        reply = self._call("Get", key, put(2, key))
        fields = wire.message(reply, {1: ("found", wire.number, False), 2: ("value", wire.blob, False)})
        return (fields["value"] or b"") if fields["found"] else None

    def _call(self, method, key, request):
        partition = self.map.partition_of(key)
        for _ in range(10):
            # Target: keyspace = 1, partition = 2, epoch = 3
            target = put(1, self.map.name) + put(2, partition) + put(3, self.map.records[partition][0])
            address = self.map.addresses[self.map.leader(partition)]
            try:
                return self._unary(address, method, put(1, target) + request)
            except self.grpc.RpcError as error:
                trailer = dict(error.trailing_metadata() or ()).get("cadastre-error-bin")
                detail = trailer and wire.message(trailer, maps.ERROR)
                if not detail or detail["code"] != "NOT_OWNER" or not self.map.heal(detail):
                    raise
                self.healed += 1
        raise Damaged("no owner was found")

    def _unary(self, address, method, request):
        if address not in self.channels:
            self.channels[address] = self.grpc.insecure_channel(address)
        return self.channels[address].unary_unary(f"/cadastre.v1.Kv/{method}", bare, bare)(request, timeout=10)


def live(address, keyspace):
    import grpc

    follower = maps.Follower()
    watch = Watch(grpc, address, follower)
    watch.until(lambda: follower.cluster_id is not None and keyspace in follower.maps)
    held = follower.maps[keyspace]
    say(step="map", generation=held.generation, digest=held.digest(), cluster=follower.cluster_id)
    kv = Kv(grpc, held)
    pairs = [(f"python-{i}".encode(), f"value {i}".encode()) for i in range(50)]
    for key, value in pairs:
        kv.put(key, value)
    say(step="kv", right=sum(kv.get(key) == value for key, value in pairs))
    # From here on the map is as it was when a leader that has changed since was true.
    sys.stdin.readline()
    right = sum(kv.get(key) == value for key, value in pairs)
    say(step="healed", right=right, hops=kv.healed)
    before = held.generation
    watch.until(lambda: follower.cluster_id is not None and follower.maps[keyspace].generation > before)
    say(step="watched", generation=held.generation, digest=held.digest())
    watch.close()
    return 0


def from_node(address, keyspace):
    import grpc

    follower = maps.Follower()
    with grpc.insecure_channel(address, OPTIONS) as channel:
        method = channel.unary_stream("/cadastre.v1.Map/GetMap", bare, bare)
        # GetMapRequest: known = 1, forms = 2, keyspaces = 3
        for event in method(put(2, PACKED_FORM) + put(3, keyspace), timeout=10):
            follower.take(event)
    held = follower.maps[keyspace]
    say(generation=held.generation, digest=held.digest(), cluster=follower.cluster_id)
    return 0


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    sys.exit({"vectors": vectors, "live": live, "from-node": from_node}[command](*arguments))
