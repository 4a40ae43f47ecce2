import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { invalid, printable } from '@cadastre/core';

/** Proxies before which one may stand are few; a longer list is somebody's invention. */
const HOPS_MAX = 32;

/** Where a request comes from: the other end of its connection, or what proxies that are trusted say stands behind them. */
export class ClientAddresses {
  private readonly trusted: BlockList | undefined;

  /** @param proxies addresses and networks such as 10.0.0.0/8. @throws CadastreError INVALID_ARGUMENT */
  constructor(proxies: readonly string[] = []) {
    this.trusted = proxies.length === 0 ? undefined : listOf(proxies);
  }

  /** `X-Forwarded-For` grows to the right: what stands left of the first proxy that is not trusted anybody may have written. */
  of(request: Pick<IncomingMessage, 'headers' | 'socket'>): string {
    let address = plainAddress(request.socket.remoteAddress ?? '');
    if (!this.isTrusted(address)) return address;
    const hops = hopsOf(request.headers['x-forwarded-for']);
    for (const hop of hops.reverse()) {
      const before = plainAddress(hop);
      if (isIP(before) === 0) return address;
      address = before;
      if (!this.isTrusted(address)) return address;
    }
    return address;
  }

  private isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.trusted?.check(address, familyOf(address)) === true;
  }
}

const hopsOf = (header: string | string[] | undefined): string[] =>
  [header ?? []].flat().join(',').split(',').slice(-HOPS_MAX);

/** Without a port, and IPv4 as such where a socket speaks both. */
const plainAddress = (text: string): string => {
  const bare = /^\s*(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+|(.*?))\s*$/.exec(text);
  const address = bare?.[1] ?? bare?.[2] ?? bare?.[3] ?? '';
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
};

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv4(address) ? 'ipv4' : 'ipv6');

/** Whether it names an address or a network. */
export const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...more] = text.split('/');
  const most = isIPv4(address) ? 32 : 128;
  return isIP(address) !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && +bits <= most));
};

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const network of networks) {
    if (!isNetwork(network))
      throw invalid('--trusted-proxy', `"${printable(network)}" is no address`, 'give 10.0.0.1 or 10.0.0.0/8');
    const [address = '', bits] = network.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
};

const IPV6_GROUPS = 8;
const NETWORK_GROUPS = 4;

/** Whom an address stands for: of IPv6 everybody has a whole /64, so that a next address costs nothing. */
export const networkOf = (address: string): string => {
  if (!isIPv6(address) || address.includes('%') || address.includes('.')) return address;
  const [left = '', right] = address.toLowerCase().split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? [] : Array<string>(IPV6_GROUPS - before.length - after.length).fill('0');
  const groups = [...before, ...zeros, ...after].map((group) => group.replace(/^0+(?=.)/, ''));
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
};
