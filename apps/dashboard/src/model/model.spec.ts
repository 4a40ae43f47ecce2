import { describe, expect, it } from '@jest/globals';
import { buildGrid, CELL, FLAG, filterGrid } from '../grid/grid-model.js';
import { paint, sliceOf } from '../grid/grid-pixels.js';
import { centre, clampView, pan, zoom } from '../grid/viewport.js';
import type { Node, Partition, Plan } from './api.types.js';
import { command, planCommand } from './cli.js';
import { formatBytes, formatDuration, toneOfHealth } from './format.js';
import { changesBy, peakOf } from './plan-figures.js';

const node = (id: string, zone: string): Node => ({
  id,
  address: '',
  labels: { zone },
  weight: 1,
  state: 'up',
  replicas: 0,
  leaders: 0,
  bytes: 100,
  records: 0,
  capacity: {},
  allowedActions: [],
});

const partition = (number: number, leader: string, follower: string, learner?: string): Partition => ({
  partition: number,
  epoch: 1,
  replicas: [
    { node: leader, role: 'leader', state: 'available', inSync: true },
    { node: follower, role: 'follower', state: 'available', inSync: true },
    ...(learner ? [{ node: learner, role: 'learner', state: 'initializing', inSync: false } as const] : []),
  ],
});

const NODES = [node('n10', 'a'), node('n2', 'a'), node('n3', 'b')];
const GRID = buildGrid(
  [partition(0, 'n2', 'n3'), partition(1, 'n3', 'n2', 'n10'), partition(2, 'n10', 'gone')],
  NODES,
  2,
);

describe('the grid of a keyspace', () => {
  it('has a row for each node by zone and number, and cells that say what each holds', () => {
    // Plan: three partitions by hand; a node that holds copies but is not listed is still a row, the last.
    expect(GRID.nodes).toEqual(['n2', 'n10', 'n3', 'gone']);
    const row = (i: number) => [...GRID.cells.slice(i * 3, i * 3 + 3)];
    expect(row(0)).toEqual([CELL.leader, CELL.follower, CELL.none]);
    expect(row(1)).toEqual([CELL.none, CELL.arriving, CELL.leader]);
    expect(row(3)).toEqual([CELL.none, CELL.none, CELL.follower]);
    expect([...GRID.flags]).toEqual([0, FLAG.moving, 0]);
  });

  it.each([
    { story: 'nothing', filter: { node: '', zone: '', flags: 0 }, columns: [0, 1, 2], rows: 4 },
    { story: 'what moves', filter: { node: '', zone: '', flags: FLAG.moving }, columns: [1], rows: 4 },
    { story: 'what a node holds', filter: { node: 'n10', zone: '', flags: 0 }, columns: [1, 2], rows: 4 },
    { story: 'what a zone holds', filter: { node: '', zone: 'b', flags: 0 }, columns: [0, 1], rows: 1 },
  ])('filters by $story', ({ filter, columns, rows }) => {
    // Plan: the columns and the number of rows that are left, by hand.
    const shown = filterGrid(GRID, filter);
    expect([...shown.columns]).toEqual(columns);
    expect(shown.rows.length).toBe(rows);
  });

  it('lets what moves show where many cells share a pixel', () => {
    // Plan: three partitions on one pixel; of each row the highest cell wins.
    const shown = filterGrid(GRID, { node: '', zone: '', flags: 0 });
    const slice = sliceOf({ first: 0, width: 1 / 3 }, shown, 1);
    const out = new Uint32Array(slice.width * slice.height);
    paint(GRID, shown, slice, Uint32Array.from([0, 1, 2, 3, 4, 5]), out);
    expect([...out]).toEqual([CELL.leader, CELL.arriving, CELL.leader, CELL.follower]);
  });

  it('never pans or zooms beside the columns, and zooms about the pointer', () => {
    // Plan: what is under the pointer stays; both ends are held.
    const zoomed = zoom({ first: 100, width: 2 }, 2, 50);
    expect(zoomed.first + 50 / zoomed.width).toBe(125);
    expect(clampView(pan({ first: 0, width: 10 }, -500), 1_000, 200).first).toBe(0);
    expect(clampView(pan({ first: 990, width: 10 }, 5_000), 1_000, 200).first).toBe(980);
    expect(clampView(centre(500, 200, 10), 1_000, 200)).toEqual({ first: 490.5, width: 10 });
  });
});

describe('what the page says', () => {
  it('is the command that does the same, quoted for a shell', () => {
    // Plan: a reason with a quote and a space.
    const plan = { id: 'p1', digest: 'ab' };
    expect(planCommand('approve', plan, { actor: 'lin', reason: "it's fine" })).toBe(
      "cadastre plan approve p1 --digest ab --actor lin --reason 'it'\\''s fine'",
    );
    expect(planCommand('propose', plan, { actor: '', reason: '' })).toBe('cadastre plan propose');
    expect(command('locate', 'orders', '$(rm -rf)')).toBe("cadastre locate orders '$(rm -rf)'");
  });

  it('is short figures', () => {
    // Plan: the edges of the units.
    expect([0, 1023, 1024, 1024 ** 3 * 1.5].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 GiB']);
    expect([59_000, 61_000, 3_700_000].map(formatDuration)).toEqual(['59 s', '1 min 1 s', '1 h 1 min']);
    expect(toneOfHealth('Healthy; plan p waits for a decision.')).toBe('ask');
    expect(toneOfHealth('3 partitions have no live in-sync copy.')).toBe('bad');
  });

  it('is before and after of zones, and the node that grows most', () => {
    // Plan: three nodes in two zones; copies that leave a node are not taken off its peak.
    const change = (id: string, before: number, after: number) => ({
      node: id,
      replicasBefore: before,
      replicasAfter: after,
      leadersBefore: 0,
      leadersAfter: 0,
    });
    const move = { kind: 'replica', keyspace: 'k', partition: 0, from: 'n2', to: 'n3', bytes: 40 };
    const plan = { nodes: [change('n2', 5, 3), change('n10', 1, 1), change('n3', 0, 2)], moves: [move, move] };
    const whole = plan as unknown as Plan;
    expect(changesBy(whole, NODES, 'zone')).toEqual([change('a', 6, 4), change('b', 0, 2)]);
    expect(peakOf(whole, NODES)).toEqual({ node: 'n3', extra: 80, bytes: 180 });
  });
});
