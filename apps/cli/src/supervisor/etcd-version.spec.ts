import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { askEtcdVersion, describeEtcd } from './etcd-version.js';

const server = createServer((_request, response) => response.end(JSON.stringify({ etcdserver: '3.4.23' })));
afterEach(() => new Promise((resolve) => server.close(resolve)));

describe('an etcd of the user', () => {
  // Plan: the first endpoint is dead, the second says its version; the line warns below 3.5.
  it('is asked for its version, at any endpoint that answers', async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const alive = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await askEtcdVersion(['http://127.0.0.1:1', alive])).toBe('3.4.23');
    expect(describeEtcd([alive], '3.4.23')).toContain('WARNING');
    expect(describeEtcd([alive], '3.5.16')).toBe(`etcd 3.5.16 (yours): ${alive}`);
    expect(describeEtcd([alive], undefined)).toContain('unknown version');
  });
});
