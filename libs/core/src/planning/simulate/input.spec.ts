import { describe, expect, it } from '@jest/globals';
import { readSimulatedInput } from './input.js';

const nodes = [
  { id: 'a' },
  { id: 'b', labels: { zone: 'z1' }, weight: 2, capacity: { bytes: 10, reads: 0 }, state: 'draining' },
];
const partition = { id: 0, bytes: 5, load: { reads: 1 }, replicas: ['a', 'b'] };
const keyspace = { name: 'k', replicationFactor: 2, partitions: [partition] };
const good = { nodes, keyspaces: [keyspace] };

const withNode = (node: object) => ({ ...good, nodes: [{ id: 'a' }, { id: 'b', ...node }] });
const withKeyspace = (fields: object) => ({ ...good, keyspaces: [{ ...keyspace, ...fields }] });
const withPartition = (fields: object) => withKeyspace({ partitions: [{ ...partition, ...fields }] });

/** What is wrong, the document, and the path that the error names. */
const BAD: readonly [string, unknown, string][] = [
  ['no document', null, 'document'],
  ['a list', [], 'document'],
  ['no nodes', { keyspaces: [] }, 'nodes'],
  ['no keyspaces', { nodes: [] }, 'keyspaces'],
  ['a misspelt field', { ...good, keyspace: [] }, 'keyspace'],
  ['a misspelt field of a node', withNode({ wieght: 1 }), 'nodes[1].wieght'],
  ['zero weight', withNode({ weight: 0 }), 'nodes[1].weight'],
  ['negative weight', withNode({ weight: -1 }), 'nodes[1].weight'],
  ['NaN weight', withNode({ weight: NaN }), 'nodes[1].weight'],
  ['weight as text', withNode({ weight: '1' }), 'nodes[1].weight'],
  ['infinite weight', withNode({ weight: Infinity }), 'nodes[1].weight'],
  ['an unknown state', withNode({ state: 'gone' }), 'nodes[1].state'],
  ['negative capacity', withNode({ capacity: { bytes: -1 } }), 'nodes[1].capacity.bytes'],
  ['a label without a value', withNode({ labels: { zone: '' } }), 'nodes[1].labels.zone'],
  ['labels as a list', withNode({ labels: ['zone'] }), 'nodes[1].labels'],
  ['a node twice', withNode({ id: 'a' }), 'nodes[1].id'],
  ['an empty id', withNode({ id: '' }), 'nodes[1].id'],
  ['RF 0', withKeyspace({ replicationFactor: 0 }), 'keyspaces[0].replicationFactor'],
  ['RF 1.5', withKeyspace({ replicationFactor: 1.5 }), 'keyspaces[0].replicationFactor'],
  ['RF over every limit', withKeyspace({ replicationFactor: 99 }), 'keyspaces[0].replicationFactor'],
  ['minInSync over RF', withKeyspace({ minInSync: 3 }), 'keyspaces[0].minInSync'],
  ['no copies allowed in a domain', withKeyspace({ maxPerDomain: { zone: 0 } }), 'keyspaces[0].maxPerDomain.zone'],
  ['no partitions', withKeyspace({ partitions: undefined }), 'keyspaces[0].partitions'],
  ['0 partitions', withKeyspace({ partitions: 0 }), 'keyspaces[0].partitions'],
  ['too many partitions', withKeyspace({ partitions: 1e9 }), 'keyspaces[0].partitions'],
  ['a partition twice', withKeyspace({ partitions: [partition, partition] }), 'keyspaces[0].partitions[1].id'],
  ['a keyspace twice', { ...good, keyspaces: [keyspace, keyspace] }, 'keyspaces[1].name'],
  ['NaN load', withPartition({ load: { reads: NaN } }), 'keyspaces[0].partitions[0].load.reads'],
  ['negative load', withPartition({ load: { reads: -1 } }), 'keyspaces[0].partitions[0].load.reads'],
  ['NaN bytes', withPartition({ bytes: NaN }), 'keyspaces[0].partitions[0].bytes'],
  ['negative bytes', withPartition({ bytes: -1 }), 'keyspaces[0].partitions[0].bytes'],
  ['an unknown node in replicas', withPartition({ replicas: ['a', 'x'] }), 'keyspaces[0].partitions[0].replicas[1]'],
  ['the same node twice', withPartition({ replicas: ['a', 'a'] }), 'keyspaces[0].partitions[0].replicas[1]'],
  ['replicas as text', withPartition({ replicas: 'a' }), 'keyspaces[0].partitions[0].replicas'],
  ['a scenario without sets', { nodeSets: [], keyspaces: [] }, 'nodeSets'],
];

describe('readSimulatedInput', () => {
  it('fills in what may be left out', () => {
    // The smallest document of each kind, beside one with everything.
    const { nodeSets, keyspaces, isScenario } = readSimulatedInput(good);
    expect(isScenario).toBe(false);
    expect(nodeSets[0]).toEqual([
      { id: 'a', labels: {}, weight: 1, capacity: {}, state: 'up' },
      { id: 'b', labels: { zone: 'z1' }, weight: 2, capacity: { bytes: 10 }, state: 'draining' },
    ]);
    expect(keyspaces[0]).toMatchObject({ minInSync: 2, isBuilt: false, generation: { incarnation: 0, number: 0 } });
    expect(keyspaces[0]!.partitions).toEqual([{ ...partition, epoch: 1 }]);
  });

  it('puts partitions in the order of their ids, numbers before texts', () => {
    // Ids in any order give the same input, so that the digest does not depend on it.
    const ids = ['b', 10, 9, 'a'].map((id) => ({ ...partition, id }));
    const read = readSimulatedInput(withKeyspace({ partitions: ids }));
    expect(read.keyspaces[0]!.partitions.map((p) => p.id)).toEqual([9, 10, 'a', 'b']);
  });

  it.each([
    ['nodes as a list of lists', { nodes: [nodes, nodes], keyspaces: [keyspace] }, 2],
    ['nodeSets of lists', { nodeSets: [nodes, nodes, nodes], keyspaces: [keyspace] }, 3],
    ['scenario of objects after the nodes', { ...good, scenario: [{ nodes, comment: 'the same again' }] }, 2],
  ])('takes successive sets of nodes: %s', (_, document, sets) => {
    // Each way to write a scenario.
    expect(readSimulatedInput(document)).toMatchObject({ isScenario: true });
    expect(readSimulatedInput(document).nodeSets).toHaveLength(sets);
  });

  it.each(BAD)('refuses %s by its path, with a remedy', (_, document, field) => {
    // One mistake a row; the error names where it is and what to do.
    let refused: unknown;
    try {
      readSimulatedInput(document);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'INVALID_ARGUMENT', field, remedy: expect.any(String) });
  });
});
