// Describes the wire contract as plain data: message -> field -> [number, type, rule], enum -> value -> number, service -> method -> shape.
import { readdirSync } from 'node:fs';
import protobuf from 'protobufjs';

const PROTO = new URL('../../proto/', import.meta.url).pathname;

export function describeContract(directory = PROTO) {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('cadastre/') ? `${directory}${target}` : target);
  root.loadSync(
    readdirSync(`${directory}cadastre/v1`)
      .sort()
      .map((file) => `cadastre/v1/${file}`),
  );
  root.resolveAll();
  const contract = { messages: {}, enums: {}, services: {} };
  visit(root, contract);
  return contract;
}

function visit(node, contract) {
  if (node instanceof protobuf.Type)
    contract.messages[node.fullName] = Object.fromEntries(node.fieldsArray.map((f) => [f.name, fieldShape(f)]));
  else if (node instanceof protobuf.Enum) contract.enums[node.fullName] = { ...node.values };
  else if (node instanceof protobuf.Service)
    contract.services[node.fullName] = Object.fromEntries(node.methodsArray.map((m) => [m.name, methodShape(m)]));
  for (const child of node.nestedArray ?? []) visit(child, contract);
}

const fieldShape = (f) => [
  f.id,
  f.map ? `map<${f.keyType},${typeName(f)}>` : typeName(f),
  f.repeated ? 'repeated' : 'single',
  f.partOf?.name ?? '',
];
const typeName = (f) => f.resolvedType?.fullName ?? f.type;
const methodShape = (m) => [m.requestType, m.requestStream ?? false, m.responseType, m.responseStream ?? false];

/** Sentences for all that would break a reader or writer of `before`. Additions are fine. */
export function breakingChanges(before, after) {
  return ['messages', 'enums', 'services'].flatMap((kind) =>
    Object.entries(before[kind]).flatMap(([name, members]) => {
      const now = after[kind][name];
      if (!now) return [`${name} is gone`];
      return [...memberChanges(name, members, now), ...reusedNumbers(kind, name, members, now)];
    }),
  );
}

const memberChanges = (name, members, now) =>
  Object.entries(members).flatMap(([member, shape]) => {
    if (now[member] === undefined) return [`${name}.${member} is gone`];
    return JSON.stringify(now[member]) === JSON.stringify(shape)
      ? []
      : [`${name}.${member} was ${JSON.stringify(shape)} and is ${JSON.stringify(now[member])}`];
  });

const reusedNumbers = (kind, name, members, now) => {
  if (kind === 'services') return [];
  const number = (shape) => (Array.isArray(shape) ? shape[0] : shape);
  const taken = new Map(Object.entries(members).map(([member, shape]) => [number(shape), member]));
  return Object.entries(now).flatMap(([member, shape]) => {
    const owner = taken.get(number(shape));
    return owner !== undefined && owner !== member
      ? [`${name}: number ${number(shape)} of ${owner} is reused by ${member}`]
      : [];
  });
};
