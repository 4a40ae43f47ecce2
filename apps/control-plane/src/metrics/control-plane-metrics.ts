import type { MetricTable } from '@cadastre/runtime';
import { counter, gauge, histogram } from '@cadastre/runtime';

/**
 * What a control plane says of itself and of the cluster. Figures of the cluster come from each replica's own mirror, so they are the same
 * everywhere: ask for the highest. No label has more values than there are keyspaces, nodes, ranks, states or codes.
 */
export const CONTROL_PLANE_METRICS = {
  isActive: gauge('cadastre_control_plane_is_active', '1 on the replica that plans, executes and fails over'),
  term: gauge('cadastre_control_plane_term', 'fence of the active controller as known here; 0 while there is none'),
  elections: counter('cadastre_control_plane_elections_won_total', 'times that this replica became the active one'),
  frozen: gauge('cadastre_control_plane_frozen', '1 while automation is stopped, by whom', 'by'),
  pastTheRules: gauge('cadastre_control_plane_plans_past_the_rules', 'plans that run now by break-glass'),
  generation: gauge('cadastre_control_plane_map_generation', 'number of the newest map known here', 'keyspace'),
  incarnation: gauge('cadastre_control_plane_map_incarnation', 'incarnation of the register in that map', 'keyspace'),
  watchers: gauge('cadastre_control_plane_watchers', 'streams that follow the map here'),
  behind: gauge(
    'cadastre_control_plane_watchers_behind',
    'of those, how many have not reported the newest map',
    'keyspace',
  ),
  watcherLag: histogram(
    'cadastre_control_plane_watcher_lag_seconds',
    'from a change seen here to the report of a watcher that it has it',
    'keyspace',
  ),
  sessions: gauge('cadastre_control_plane_sessions', 'agents whose session is kept here'),
  queue: gauge(
    'cadastre_control_plane_register_queue',
    'changes of the register that wait for their turn or their answer',
  ),
  requests: counter(
    'cadastre_control_plane_requests_total',
    'gRPC calls answered, by method and code',
    'method',
    'code',
  ),
  duration: histogram('cadastre_control_plane_request_duration_seconds', 'of gRPC calls but streams', 'method'),
  http: counter(
    'cadastre_control_plane_http_requests_total',
    'HTTP requests answered, by method and status',
    'method',
    'code',
  ),
  nodes: gauge('cadastre_control_plane_nodes', 'registered nodes, by state', 'state'),
  nodeBytes: gauge('cadastre_control_plane_node_stored_bytes', 'live data that a node reports', 'node'),
  nodeCapacity: gauge(
    'cadastre_control_plane_node_capacity_bytes',
    'most that a node may be given, where it says so',
    'node',
  ),
  nodeReplicas: gauge('cadastre_control_plane_node_replicas', 'copies that the map gives a node', 'node'),
  nodeLeaders: gauge('cadastre_control_plane_node_leaders', 'partitions that a node leads', 'node'),
  partitions: gauge('cadastre_control_plane_partitions', 'partitions', 'keyspace'),
  underReplicated: gauge(
    'cadastre_control_plane_partitions_under_replicated',
    'with fewer in-sync copies than the replication factor',
    'keyspace',
  ),
  belowMinInSync: gauge(
    'cadastre_control_plane_partitions_below_min_in_sync',
    'with fewer in-sync copies than minInSync: they take no writes',
    'keyspace',
  ),
  leaderless: gauge('cadastre_control_plane_partitions_leaderless', 'for which the map names no leader', 'keyspace'),
  unavailable: gauge(
    'cadastre_control_plane_partitions_unavailable',
    'of which no in-sync copy is on a connected node',
    'keyspace',
  ),
  keyspaceBytes: gauge('cadastre_control_plane_keyspace_bytes', 'live data, each partition counted once', 'keyspace'),
  topBytes: gauge('cadastre_control_plane_top_partition_bytes', 'size of the largest partitions', 'keyspace', 'rank'),
  topBytesPartition: gauge(
    'cadastre_control_plane_top_partition_bytes_partition',
    'number of the partition at that rank of size',
    'keyspace',
    'rank',
  ),
  keyspaceRate: gauge(
    'cadastre_control_plane_keyspace_operations_per_second',
    'reads and writes that agents answered over the last minute',
    'keyspace',
  ),
  topRate: gauge(
    'cadastre_control_plane_top_partition_operations_per_second',
    'of that, the hottest partitions',
    'keyspace',
    'rank',
  ),
  topRatePartition: gauge(
    'cadastre_control_plane_top_partition_operations_partition',
    'number of the partition at that rank of load',
    'keyspace',
    'rank',
  ),
  plans: gauge('cadastre_control_plane_plans', 'plans that are open or run, by state', 'state'),
  moves: gauge('cadastre_control_plane_moves', 'moves of plans that run, by phase', 'phase'),
  movesStalled: gauge('cadastre_control_plane_moves_stalled', 'of those: no byte for 30 s, and no limit explains it'),
  movesThrottled: gauge('cadastre_control_plane_moves_throttled', 'of those: held up by the limit'),
  planBytes: gauge(
    'cadastre_control_plane_plan_bytes',
    'bytes of plans that run: all, and those that have moved',
    'part',
  ),
  throttle: gauge('cadastre_control_plane_throttle_bytes_per_second', 'limits on copies as set; 0 is none', 'scope'),
  failovers: counter('cadastre_control_plane_failovers_total', 'partitions that were failed over by this replica'),
  declaredDead: counter('cadastre_control_plane_nodes_declared_dead_total', 'nodes that this replica declared dead'),
  etcdBytes: gauge('cadastre_etcd_database_bytes', 'size of the database of the member of etcd that answered'),
  etcdInUse: gauge('cadastre_etcd_database_in_use_bytes', 'of that, what a defragmentation would leave'),
  etcdQuota: gauge('cadastre_etcd_quota_bytes', 'most that it may become, as set here'),
  etcdAlarms: gauge('cadastre_etcd_alarms', 'alarms that members of etcd have raised', 'alarm'),
  etcdVersion: gauge('cadastre_etcd_info', '1; which version answered', 'version'),
  etcdLeaderChanges: counter('cadastre_etcd_leader_changes_total', 'changes of its leader that this replica saw'),
} as const satisfies MetricTable;
