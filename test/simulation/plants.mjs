// Bugs to plant: each is a guard of the product taken away, by a change of its source as the simulation loads it (see hooks.mjs); what is
// built never has them. `of` counts the field's known bugs, where it is one of them.
const LEADER = 'libs/core/src/replication/leader-role.ts';
const MACHINE = 'libs/core/src/replication/replica.machine.ts';
const DETECTOR = 'libs/core/src/failover/detector.machine.ts';
const REPLICA = 'apps/storage-agent/src/replica.driver.ts';

/*
 * `seed`: a schedule that finds it, and what the checkers then say. One without a seed has not been found by some hundred schedules,
 * because other guards stand behind the one that is taken away: no test rests on it.
 */
/** @type {readonly { name: string, of?: number, seed?: number, finds?: string, about: string, only?: readonly string[], patches: readonly { file: string, from: string, to: string }[] }[]} */
export const PLANTS = [
  {
    name: 'old-epoch-taken',
    of: 1,
    about: 'a follower takes entries of a leader whose epoch it has promised not to follow',
    only: ['cut-nodes-one-way', 'freeze-node', 'slow-link', 'cut-nodes-one-way', 'cut-nodes'],
    patches: [
      {
        file: MACHINE,
        from: "if (role?.kind !== 'follower' || role.leader !== event.from || event.epoch < role.base) {",
        to: "if (role?.kind !== 'follower') {",
      },
    ],
  },
  {
    name: 'ack-before-in-sync-set',
    seed: 1,
    finds: 'lost-write',
    of: 2,
    about: 'the leader acknowledges what only it has',
    patches: [
      {
        file: LEADER,
        from: '  private advance(now: number): void {\n',
        to: '  private advance(now: number): void {\n    for (let s = this.commitSeq + 1; s <= this.core.durableSeq; s += 1) this.answer(s);\n',
      },
    ],
  },
  {
    name: 'ack-before-durable',
    seed: 24,
    finds: 'lost-write|INV-3',
    about: 'a follower acknowledges what its disk does not have yet',
    only: ['power-node', 'disk-error', 'power-node', 'slow-disk', 'disk-error'],
    patches: [
      {
        file: REPLICA,
        from: "    this.whenDurable(this.around.engine.append(this.id, entries), {\n      type: 'durable',\n      seq: entries.at(-1)!.seq,\n      cut: appends[0]!.cut,\n    });",
        to: "    this.whenDurable(this.around.engine.append(this.id, entries), undefined);\n    this.dispatch({ type: 'durable', seq: entries.at(-1)!.seq, cut: appends[0]!.cut });",
      },
    ],
  },
  {
    name: 'joiner-not-waited-for',
    of: 22,
    about: 'writes are acknowledged without a replica that the register may take into the in-sync set at any moment',
    patches: [
      {
        file: LEADER,
        from: 'peer.inSync || peer.join !== undefined || peer.owed;',
        to: "peer.inSync || (peer.join !== undefined && peer.join.stage !== 'asking');",
      },
    ],
  },
  {
    name: 'delete-source-early',
    seed: 37,
    finds: 'INV-5',
    of: 3,
    about: 'a copy is purged before enough whole copies act on the map without it',
    only: ['cut-node-plane', 'freeze-node', 'cut-node-plane-one-way', 'slow-link', 'kill-client'],
    patches: [
      {
        file: 'apps/control-plane/src/controller/purge-book.ts',
        from: 'if (!this.isSafe(state, replica.keyspace, record, since, view.map.spec.replicationFactor)) return undefined;',
        to: '',
      },
    ],
  },
  {
    name: 'delete-without-comparing',
    of: 4,
    about: 'damaged copies are taken for whole: neither the frames nor the content are compared',
    only: ['flip-frames', 'kill-node', 'wipe', 'flip-frames', 'flip-frames'],
    patches: [
      {
        file: 'apps/storage-agent/src/frames.codec.ts',
        from: 'intact: crc32(frame.packed) === frame.packedCrc32',
        to: 'intact: true',
      },
      {
        file: REPLICA,
        from: 'const equal = own.seq === mark.seq && own.records === mark.records && own.digest === mark.digest;',
        to: 'const equal = true;',
      },
    ],
  },
  {
    name: 'tombstones-dropped',
    seed: 1,
    finds: 'lost-write',
    of: 7,
    about: 'deletes have no effect',
    patches: [
      {
        file: 'libs/engine/src/core/core-engine.ts',
        from: "for (const op of entry.ops) this.exchange(partition, op.key, op.kind === 'put' ? op.value : undefined);",
        to: "for (const op of entry.ops) if (op.kind === 'put') this.exchange(partition, op.key, op.value);",
      },
    ],
  },
  {
    name: 'no-dedupe',
    seed: 1,
    finds: 'took effect at .* and again',
    of: 8,
    about: 'a retried request takes effect again',
    patches: [
      {
        file: 'libs/core/src/replication/recent-requests.ts',
        from: 'return seq === undefined ? undefined : { seq, epoch: this.epochOf(seq) };',
        to: 'return undefined;',
      },
    ],
  },
  {
    name: 'unknown-taken-for-done',
    seed: 42,
    finds: 'everything whole again',
    of: 10,
    about: 'a transaction without an answer is taken for committed',
    only: ['etcd-lost-replies', 'etcd-lost-requests', 'kill-node', 'etcd-lost-requests', 'cut-plane-etcd'],
    patches: [
      {
        file: 'libs/store/src/settle.ts',
        from: '    cause = expectUnknown(error);\n  }',
        to: "    cause = expectUnknown(error);\n    return { kind: 'committed', revision: 1n };\n  }",
      },
    ],
  },
  {
    name: 'deposed-leader-writes',
    seed: 3,
    finds: 'INV-1',
    of: 11,
    about: 'changes of the active controller do not compare its election key',
    patches: [
      {
        file: 'libs/store/src/register/register.ts',
        from: 'const fences = fence ? [fence] : [];',
        to: 'const fences: Compare[] = [];',
      },
    ],
  },
  {
    name: 'approval-used-twice',
    of: 14,
    about: 'a plan that has ended can be approved again',
    only: ['kill-client', 'reset', 'etcd-compaction'],
    patches: [
      {
        file: 'libs/core/src/planning/plan-lifecycle.ts',
        from: '  completed: {},\n  cancelled: {},',
        to: "  completed: { approve: 'approved' },\n  cancelled: { approve: 'approved' },",
      },
    ],
  },
  {
    name: 'wiped-node-trusted',
    seed: 2,
    finds: 'all keys read',
    of: 15,
    about: 'a node whose disks were lost comes back under its old incarnation',
    only: ['wipe', 'kill-node', 'kill-plane'],
    patches: [
      {
        file: 'apps/storage-agent/src/identity.ts',
        from: 'const incarnation = newId(8);',
        to: "const incarnation = '0000000000000000';",
      },
    ],
  },
  {
    name: 'unvouched-map-kept',
    about: 'a wiped node that was not let in keeps the map, and takes it for proof at its next start',
    only: ['wipe', 'wipe', 'kill-node', 'wall-clock-jump'],
    patches: [{ file: 'apps/storage-agent/src/map-watch.driver.ts', from: '    if (!this.keeping) return;\n', to: '' }],
  },
  {
    name: 'map-goes-back',
    of: 19,
    about: 'an agent takes an older map from another replica',
    patches: [
      {
        file: 'apps/storage-agent/src/map-watch.driver.ts',
        from: 'if (known && compareGenerations(map.generation, known.generation) < 0) return; // INV-2',
        to: '',
      },
      {
        file: 'apps/control-plane/src/watch/next-step.ts',
        from: "return { kind: 'ahead', known };",
        to: "return { kind: 'nothing' };",
      },
    ],
  },
  {
    name: 'promise-not-durable',
    seed: 1,
    finds: 'INV-3',
    of: 21,
    about: 'the promised epoch is not written to disk',
    patches: [
      {
        file: REPLICA,
        from: 'this.whenDurable(around.engine.promise(this.id, action.epoch), {',
        to: 'this.whenDurable(Promise.resolve(), {',
      },
    ],
  },
  {
    name: 'lease-by-calendar',
    seed: 14,
    finds: 'two are active',
    of: 23,
    about: 'the deadline of a lease is counted on the calendar, which people set',
    only: ['wall-clock-jump-plane', 'cut-plane-etcd', 'wall-clock-jump-plane', 'cut-plane-etcd'],
    patches: [
      {
        file: 'libs/store/src/lease.ts',
        from: 'return this.loss === undefined && this.host.clock.monotonicMs() < this.deadline;',
        to: 'return this.loss === undefined && this.host.clock.wallMs() - 1_767_225_599_000 < this.deadline;',
      },
    ],
  },
  {
    name: 'serves-unsealed',
    seed: 49,
    finds: 'took effect at .* and again',
    about: 'a new leader serves before the in-sync set has promised its epoch and shown its log',
    patches: [
      {
        file: LEADER,
        from: 'if (!this.isPromised || floor < this.sealSeq || this.leases.some',
        to: 'if (this.leases.some',
      },
    ],
  },
  {
    name: 'lease-not-waited-for',
    about: 'a new leader serves while the old one may still answer reads under its lease',
    only: ['isolate-node', 'cut-nodes', 'kill-active', 'isolate-node-out', 'cut-node-plane'],
    patches: [{ file: LEADER, from: ' || this.leases.some(({ until }) => now < until)', to: '' }],
  },
  {
    name: 'resumed-from-header',
    seed: 3,
    finds: 'everything whole again',
    of: 9,
    about: 'a watch that was cut goes on from the newest revision, not from the last it delivered',
    only: ['cut-plane-etcd', 'freeze-etcd', 'kill-node', 'etcd-no-leader', 'kill-node'],
    patches: [
      {
        file: 'libs/store/src/memory/memory-watch.ts',
        from: 'if (!this.host.isConnected()) return;\n    const',
        to: 'if (!this.host.isConnected()) return void (this.next = this.host.database.revision + 1n);\n    const',
      },
    ],
  },
  {
    name: 'lease-end-is-death',
    seed: 1,
    finds: 'INV-6',
    of: 20,
    about: 'the end of a session counts as death, and many deaths at once do not stop automation',
    only: ['etcd-mass-lease-loss', 'wall-clock-jump', 'kill-client'],
    patches: [
      {
        file: DETECTOR,
        from: "else if (!watched.doubt) this.suspect(sight.id, 'register', 'its session is over', now, actions);",
        to: "else this.declare(sight.id, watched, 'its session is over', actions);",
      },
      {
        file: 'libs/core/src/failover/failover.ts',
        from: 'lost >= nodes && lost >= known * share',
        to: 'lost < nodes * share * known * 0',
      },
    ],
  },
];
