import type { PartitionId } from '@cadastre/engine';

export type PartitionKey = string;

export const keyOf = ({ keyspace, partition }: PartitionId): PartitionKey => `${keyspace}/${partition}`;
