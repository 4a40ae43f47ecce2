/** `[::1]:80` in its parts, the host as it is written in an address. */
export const splitAddress = (address: string): { readonly host: string; readonly port: number } => {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
};

/** An IPv6 address as a socket takes it, without brackets. */
export const bare = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
