/** What a process is, as its certificate says. `operator` is a person, or a program that acts for one. */
export const PEER_ROLES = ['agent', 'control-plane', 'router', 'client', 'operator'] as const;
export type PeerRole = (typeof PEER_ROLES)[number];

/** Who stands behind a certificate: `spiffe://CLUSTER/ROLE/NAME` in its SAN. The name of an agent is its node's id. */
export interface PeerIdentity {
  readonly cluster: string;
  readonly role: PeerRole;
  readonly name: string;
}

/** As SPIFFE has it for trust domains and paths; so none of it needs quoting anywhere. */
const URI = /^spiffe:\/\/([a-z0-9._-]{1,255})\/([a-z-]+)\/([A-Za-z0-9._-]{1,255})$/;

export const identityUri = ({ cluster, role, name }: PeerIdentity): string => `spiffe://${cluster}/${role}/${name}`;

/** Undefined for what is no identity of ours. */
export const parseIdentityUri = (uri: string): PeerIdentity | undefined => {
  const [, cluster, word, name] = URI.exec(uri) ?? [];
  const role = PEER_ROLES.find((each) => each === word);
  return cluster !== undefined && name !== undefined && role ? { cluster, role, name } : undefined;
};

/** One name of a SAN, and the comma behind it: what has odd characters is a JSON string. */
const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/**
 * The identity among the SAN URIs of one certificate. Two of ours are none: nobody is to choose who they are.
 * @param subjectAltName as node prints it: `DNS:a, URI:spiffe://c/agent/n1, IP Address:127.0.0.1`; undefined where it is in any other form
 */
export const identityOfSan = (subjectAltName = ''): PeerIdentity | undefined => {
  const ours: PeerIdentity[] = [];
  NAME.lastIndex = 0;
  while (NAME.lastIndex < subjectAltName.length) {
    const match = NAME.exec(subjectAltName);
    if (!match) return undefined;
    const identity = match[1] === 'URI' && parseIdentityUri(match[2]!);
    if (identity) ours.push(identity);
  }
  return ours.length === 1 ? ours[0] : undefined;
};
