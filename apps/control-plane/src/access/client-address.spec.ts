import { describe, expect, it } from '@jest/globals';
import { ClientAddresses, isNetwork, networkOf } from './client-address.js';

const from = (remoteAddress: string, forwarded?: string | string[]) =>
  ({
    socket: { remoteAddress },
    headers: { ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) },
  }) as never;

describe('where a request comes from', () => {
  // Plan: what the connection says and what the header says, against the proxies that are trusted.
  it.each<[string, string[], string, string | string[] | undefined, string]>([
    ['no proxy is trusted', [], '10.0.0.1', '1.2.3.4', '10.0.0.1'],
    ['somebody else says so', ['10.0.0.1'], '10.0.0.2', '1.2.3.4', '10.0.0.2'],
    ['the proxy says so', ['10.0.0.1'], '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['its network', ['10.0.0.0/8'], '10.9.9.9', '1.2.3.4', '1.2.3.4'],
    ['the socket speaks both', ['10.0.0.1'], '::ffff:10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['what the client made up stands left', ['10.0.0.1'], '10.0.0.1', '6.6.6.6, 1.2.3.4', '1.2.3.4'],
    ['two proxies in a row', ['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 1.2.3.4, 10.0.0.2', '1.2.3.4'],
    ['two headers', ['10.0.0.1'], '10.0.0.1', ['6.6.6.6', '1.2.3.4'], '1.2.3.4'],
    ['with ports', ['10.0.0.1'], '10.0.0.1', '1.2.3.4:5678', '1.2.3.4'],
    ['IPv6 with a port', ['fd00::/8'], 'fd00::1', '[2001:db8::7]:443', '2001:db8::7'],
    ['nothing is said', ['10.0.0.1'], '10.0.0.1', undefined, '10.0.0.1'],
    ['nonsense is said', ['10.0.0.1'], '10.0.0.1', '1.2.3.4, <script>', '10.0.0.1'],
    ['all are proxies', ['10.0.0.0/8'], '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ])('%s', (_story, proxies, remote, header, address) => {
    expect(new ClientAddresses(proxies).of(from(remote, header))).toBe(address);
  });

  // Plan: what names no address is refused by field.
  it.each(['proxy.example', '10.0.0.0/33', '10.0.0.0/', 'fd00::/129', '10.0.0.1/8/8', ''])('refuses %j', (proxy) => {
    expect(isNetwork(proxy)).toBe(false);
    expect(() => new ClientAddresses([proxy])).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', field: '--trusted-proxy' }),
    );
  });

  // Plan: addresses of one IPv6 network are one, however they are written; of IPv4 each is its own.
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('takes %s for %s', (address, network) => expect(networkOf(address)).toBe(network));
});
