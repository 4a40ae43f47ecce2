import type { NodeEntry } from '@cadastre/core';
import { checkName, invalid, LIMITS, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeNode } from '@cadastre/contracts';

/** What a node says of itself when it registers; checked. */
export interface Hello {
  readonly entry: NodeEntry;
  readonly capacity: Readonly<Record<string, number>>;
  readonly incarnation: string;
  /** Of a session begun on another replica. */
  readonly leaseId: bigint | undefined;
}

const LABELS_MAX = 32;
const WEIGHT_MAX = 1_000_000;
const LABEL_NAME = /^[a-z0-9]([a-z0-9./-]{0,125}[a-z0-9])?$/;
const INCARNATION = /^[A-Za-z0-9-]{1,64}$/;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):([0-9]{1,5})$/;

/** @throws CadastreError INVALID_ARGUMENT naming the field */
export const decodeHello = (wire: Wire.Hello__Output): Hello => {
  if (!wire.node) throw invalid('hello.node', 'is missing', 'say who you are');
  const entry = decodeNode(wire.node);
  checkName('node.id', entry.id);
  checkAddress('node.address', entry.address);
  checkLabels(entry.labels);
  checkWeight(entry.weight);
  checkCapacity(wire.capacity);
  if (!INCARNATION.test(wire.incarnation))
    throw invalid(
      'incarnation',
      `"${printable(wire.incarnation)}" is none`,
      'use the id that was made with the data folder',
      '1 to 64 letters, digits and -',
    );
  return { entry, capacity: { ...wire.capacity }, incarnation: wire.incarnation, leaseId: decodeLease(wire.leaseId) };
};

export const checkAddress = (field: string, address: string): void => {
  const port = Number(ADDRESS.exec(address)?.[3] ?? 0);
  if (port < 1 || port > 65_535)
    throw invalid(
      field,
      `"${printable(address)}" is no address`,
      'give host:port as others reach it',
      'host:1 to host:65535',
    );
};

const checkLabels = (labels: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(labels);
  if (entries.length > LABELS_MAX)
    throw invalid('node.labels', `${entries.length} labels`, 'keep those that placement needs', `${LABELS_MAX} labels`);
  for (const [name, value] of entries) {
    const field = `node.labels.${printable(name)}`;
    if (!LABEL_NAME.test(name))
      throw invalid(field, 'is no label name', 'use a-z, 0-9, ., / and -, such as zone or rack', '127 characters');
    const bytes = Buffer.byteLength(value);
    if (bytes === 0 || bytes > LIMITS.labelBytesMax)
      throw invalid(
        field,
        `has a value of ${bytes} bytes`,
        'give a short value, or leave the label out',
        `1 to ${LIMITS.labelBytesMax} bytes`,
      );
  }
};

const checkWeight = (weight: number): void => {
  if (!Number.isFinite(weight) || weight <= 0 || weight > WEIGHT_MAX) {
    throw invalid(
      'node.weight',
      `${weight} is no share`,
      'use 1, or 2 for a node that is to hold twice as much',
      `above 0, at most ${WEIGHT_MAX}`,
    );
  }
};

const checkCapacity = (capacity: Readonly<Record<string, number>>): void => {
  for (const [name, amount] of Object.entries(capacity)) {
    const field = `capacity.${printable(name)}`;
    if (!LABEL_NAME.test(name)) throw invalid(field, 'is no name of a resource', 'use a name such as bytes');
    if (!Number.isFinite(amount) || amount < 0)
      throw invalid(field, `${amount} is no amount`, 'give a finite amount', '0 or more');
  }
};

const decodeLease = (text: string): bigint | undefined => {
  if (text === '') return undefined;
  if (!/^[0-9a-f]{1,16}$/.test(text))
    throw invalid('leaseId', `"${printable(text)}" is no lease`, 'send what Welcome gave, or nothing');
  return BigInt(`0x${text}`);
};

export const encodeLease = (id: bigint): string => id.toString(16);
