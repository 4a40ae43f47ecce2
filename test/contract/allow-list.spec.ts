import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ALLOW_LIST } from '@cadastre/contracts';
import { PEER_ROLES } from '@cadastre/core';

/** A line for each group of RPCs of one service with one decision; a service whose RPCs all have the same is one line. */
const tableOf = (): string => {
  const groups = new Map<string, { service: string; names: string[]; cells: string[] }>();
  for (const [rpc, { roles, people = false }] of Object.entries(ALLOW_LIST)) {
    const [service, name] = rpc.split('/') as [string, string];
    const cells = [...PEER_ROLES.map((role) => (roles.includes(role) ? 'yes' : '')), people ? 'by token' : ''];
    const key = [service, ...cells].join('|');
    const group = groups.get(key) ?? { service, names: [], cells };
    group.names.push(name);
    groups.set(key, group);
  }
  const all = [...groups.values()];
  const rows = all.map(({ service, names, cells }) => {
    const alone = all.filter((other) => other.service === service).length === 1;
    return [`${service.split('.').at(-1)}: ${alone ? 'all' : names.join(', ')}`, ...cells];
  });
  const head = ['RPC', ...PEER_ROLES, 'no certificate'];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n').replaceAll('  ', ' ');
};

describe('docs/operations.md', () => {
  // Plan: the table of the page is the one that servers go by.
  it('says who may call what', () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const [, table] = /<!-- who may call what -->\n([\s\S]*?)\n<!-- end -->/.exec(page)!;
    expect(table).toBe(tableOf());
  });
});
