import type { CadastreClient } from '@cadastre/client';
import type { KvMeter } from '@cadastre/contracts';
import type { MetricTable, Readings } from '@cadastre/runtime';
import { counter, gauge, histogram } from '@cadastre/runtime';

/** What a router says of itself. */
export const ROUTER_METRICS = {
  requests: counter(
    'cadastre_router_requests_total',
    'requests answered, by kind and code (OK or why not)',
    'kind',
    'code',
  ),
  duration: histogram(
    'cadastre_router_request_duration_seconds',
    'from a request to its answer, failed ones too',
    'kind',
  ),
  inFlight: gauge('cadastre_router_requests_in_flight', 'requests under way'),
  inFlightMax: gauge('cadastre_router_requests_in_flight_max', 'requests that may be under way; more are refused'),
  operations: counter(
    'cadastre_router_operations_total',
    'what callers asked for, by whether one partition or several had to be asked',
    'effect',
    'partitions',
  ),
  retries: counter('cadastre_router_retries_total', 'attempts after the first, redirections not counted'),
  notOwner: counter('cadastre_router_not_owner_total', 'answers that another node leads by now'),
  channels: gauge('cadastre_router_channels', 'open channels to nodes'),
  generation: gauge('cadastre_router_map_generation', 'number of the map that is gone by', 'keyspace'),
  watching: gauge('cadastre_router_map_watch_up', '1 while a control plane sends changes of the map'),
} as const satisfies MetricTable;

export interface RouterParts {
  readonly client: CadastreClient;
  readonly meter: KvMeter;
  readonly inFlightMax: number;
  inFlight(): number;
}

export const routerReadings = ({
  client,
  meter,
  inFlight,
  inFlightMax,
}: RouterParts): Readings<typeof ROUTER_METRICS> => ({
  requests: meter.requests,
  duration: meter.durations,
  inFlight: (emit) => emit(inFlight()),
  inFlightMax: (emit) => emit(inFlightMax),
  operations: (emit) => {
    const { readOne, readMany, writeOne, writeMany } = client.stats().operations;
    emit(readOne, 'read', 'one');
    emit(readMany, 'read', 'many');
    emit(writeOne, 'write', 'one');
    emit(writeMany, 'write', 'many');
  },
  retries: (emit) => emit(client.stats().retries),
  notOwner: (emit) => emit(client.stats().notOwner),
  channels: (emit) => emit(client.stats().channels),
  generation: (emit) => {
    for (const map of client.maps()) emit(map.generation.number, map.spec.name);
  },
  watching: (emit) => emit(Number(client.stats().map.connectedTo !== undefined)),
});
