import type { Options } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import type * as Wire from './generated/index.js';
import { PROTO_ROOT } from './proto-root.js';

/**
 * Loads the contract once. 64-bit numbers become numbers: every one of ours counts something that stays below 2^53, and the codecs
 * refuse what does not (`safeInteger`), so nothing is rounded in silence.
 */
export const CONVERSION = {
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  oneofs: true,
} as const satisfies Options;

const files = ['map', 'agent', 'kv', 'transfer', 'operator'].map((name) => `cadastre/v1/${name}.proto`);
const definition = loadSync(files, { ...CONVERSION, includeDirs: [PROTO_ROOT] });

const service = <D>(name: string): D => definition[`cadastre.v1.${name}`] as unknown as D;

const passThrough = (bytes: Buffer): Buffer => bytes;
const stockMap = service<Wire.MapDefinition>('Map');

const readyMade = passThrough as unknown as (value: Wire.MapEvent) => Buffer;

/** WatchMap and GetMap write bytes that were encoded once for all readers; see `EncodedMapEvent`. */
export const mapService = {
  ...stockMap,
  WatchMap: { ...stockMap.WatchMap, responseSerialize: readyMade },
  GetMap: { ...stockMap.GetMap, responseSerialize: readyMade },
} as Wire.MapDefinition;
export const agentService = service<Wire.AgentDefinition>('Agent');
export const livenessService = service<Wire.LivenessDefinition>('Liveness');
export const operatorService = service<Wire.OperatorDefinition>('Operator');
const stockKv = service<Wire.KvDefinition>('Kv');

/** Pipeline carries frames as bytes on both sides; see `frames/frames.codec.ts`. */
export const kvService = {
  ...stockKv,
  Pipeline: {
    ...stockKv.Pipeline,
    requestSerialize: passThrough,
    requestDeserialize: passThrough,
    responseSerialize: passThrough,
    responseDeserialize: passThrough,
  },
} as unknown as Wire.KvDefinition;
export const transferService = service<Wire.TransferDefinition>('Transfer');

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => (target.startsWith('cadastre/') ? `${PROTO_ROOT}/${target}` : target);
root.loadSync([...files, 'cadastre/v1/register.proto']);
root.resolveAll();

/** Bytes of one message, for the register and for what is encoded once. */
export interface MessageCodec<In, Out> {
  encode(value: In): Buffer;
  /** @throws Error when the bytes are not such a message */
  decode(bytes: Uint8Array): Out;
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const messageCodec = <In, Out>(name: string): MessageCodec<In, Out> => {
  const type = root.lookupType(`cadastre.v1.${name}`);
  return {
    encode: (value) => asBuffer(type.encode(type.fromObject(value as Record<string, unknown>)).finish()),
    decode: (bytes) => type.toObject(type.decode(bytes), CONVERSION) as Out,
  };
};

/** Names of a message's fields, for tests that hold a codec against the contract. */
export const messageFields = (name: string): string[] =>
  root.lookupType(`cadastre.v1.${name}`).fieldsArray.map((field) => field.name);
