/** Series by name, as promtool writes them: `start+step x times`, one value a minute. */
export type Series = Readonly<Record<string, string>>;

const A = '{instance="a:1", job="cadastre"}';
const still = (value: number): string => `${value}x120`;
const grows = (aMinute: number): string => `0+${aMinute}x120`;
const labelled = (labels: string): string => `{instance="a:1", job="cadastre", ${labels}}`;
const orders = labelled('keyspace="orders"');
const first = labelled('keyspace="orders", rank="1"');

/** A cluster in which nothing is wrong. */
export const HEALTHY: Series = {
  [`cadastre_control_plane_is_active${A}`]: still(1),
  'cadastre_control_plane_is_active{instance="b:1", job="cadastre"}': still(0),
  [`cadastre_control_plane_frozen${labelled('by="person"')}`]: still(0),
  [`cadastre_control_plane_moves_stalled${A}`]: still(0),
  [`cadastre_control_plane_nodes${labelled('state="down"')}`]: still(0),
  [`cadastre_control_plane_partitions_unavailable${orders}`]: still(0),
  [`cadastre_control_plane_partitions_leaderless${orders}`]: still(0),
  [`cadastre_control_plane_partitions_below_min_in_sync${orders}`]: still(0),
  [`cadastre_control_plane_partitions_under_replicated${orders}`]: still(0),
  [`cadastre_control_plane_partitions${orders}`]: still(10),
  [`cadastre_control_plane_keyspace_bytes${orders}`]: still(1e9),
  [`cadastre_control_plane_top_partition_bytes${first}`]: still(1.9e8),
  [`cadastre_control_plane_keyspace_operations_per_second${orders}`]: still(1000),
  [`cadastre_control_plane_top_partition_operations_per_second${first}`]: still(290),
  [`cadastre_control_plane_watcher_lag_seconds_bucket${labelled('keyspace="orders", le="1"')}`]: grows(60),
  [`cadastre_control_plane_watcher_lag_seconds_bucket${labelled('keyspace="orders", le="5"')}`]: grows(60),
  [`cadastre_control_plane_watcher_lag_seconds_bucket${labelled('keyspace="orders", le="+Inf"')}`]: grows(60),
  [`cadastre_agent_replication_lag_seconds${A}`]: still(0.9),
  [`cadastre_agent_in_sync_changes_total${labelled('change="shrunk"')}`]: grows(1),
  [`cadastre_agent_write_pauses_total${A}`]: still(0),
  [`cadastre_agent_session_up${A}`]: still(1),
  [`cadastre_agent_requests_total${labelled('kind="get", code="OK"')}`]: grows(6000),
  [`cadastre_agent_requests_total${labelled('kind="get", code="NOT_OWNER"')}`]: grows(600),
  [`cadastre_agent_requests_total${labelled('kind="get", code="UNAVAILABLE"')}`]: grows(30),
  [`cadastre_agent_requests_waiting${A}`]: still(7_000),
  [`cadastre_agent_requests_waiting_max${A}`]: still(10_000),
  [`cadastre_router_requests_in_flight${A}`]: still(100),
  [`cadastre_router_requests_in_flight_max${A}`]: still(20_000),
  [`cadastre_router_operations_total${labelled('effect="read", partitions="one"')}`]: grows(60),
  [`cadastre_router_operations_total${labelled('effect="read", partitions="many"')}`]: grows(50),
  [`cadastre_router_operations_total${labelled('effect="write", partitions="one"')}`]: grows(95),
  [`cadastre_router_operations_total${labelled('effect="write", partitions="many"')}`]: grows(5),
  [`cadastre_build_info${labelled('component="storage-agent"')}`]: still(1),
  [`nodejs_eventloop_lag_p99_seconds${A}`]: still(0.02),
  'nodejs_eventloop_lag_p99_seconds{instance="other:1", job="not-ours"}': still(9),
  [`cadastre_data_free_bytes${A}`]: still(16),
  [`cadastre_data_disk_bytes${A}`]: still(100),
  [`cadastre_etcd_database_bytes${A}`]: still(79),
  [`cadastre_etcd_quota_bytes${A}`]: still(100),
  [`cadastre_etcd_alarms${labelled('alarm="NOSPACE"')}`]: still(0),
  [`cadastre_etcd_leader_changes_total${A}`]: still(3),
  [`cadastre_certificate_expiry_timestamp_seconds${labelled('use="own"')}`]: still(30 * 86_400),
};

/** Requests of which 600 a minute take up to 10 ms, and from `slowAt` on up to 100 ms. */
const slower = (minutes: number, slowAt: number): Series => {
  const name = (le: string) => `cadastre_agent_request_duration_seconds_bucket${labelled(`kind="get", le="${le}"`)}`;
  const all = `0+600x${minutes}`;
  const fast = `0+600x${slowAt} ${slowAt * 600}x${minutes - slowAt}`;
  return { [name('0.01')]: fast, [name('0.1')]: all, [name('+Inf')]: all };
};

interface Fault {
  /** Instead of, or besides, what is healthy; null is away. */
  readonly series: Readonly<Record<string, string | null>>;
  /** Minutes. */
  readonly at?: number;
}

/** What makes each alert fire. */
export const ALARMING: Readonly<Record<string, Fault>> = {
  CadastreNoActiveController: {
    series: {
      [`cadastre_control_plane_is_active${A}`]: null,
      'cadastre_control_plane_is_active{instance="b:1", job="cadastre"}': null,
    },
  },
  CadastreFrozen: { series: { [`cadastre_control_plane_frozen${labelled('by="person"')}`]: still(1) } },
  CadastrePastTheRules: { series: { [`cadastre_control_plane_plans_past_the_rules${A}`]: still(1) } },
  CadastreMoveStalled: { series: { [`cadastre_control_plane_moves_stalled${A}`]: still(2) } },
  CadastreWatchersBehind: {
    series: {
      [`cadastre_control_plane_watcher_lag_seconds_bucket${labelled('keyspace="orders", le="1"')}`]: grows(50),
    },
  },
  CadastrePartitionsUnavailable: { series: { [`cadastre_control_plane_partitions_unavailable${orders}`]: still(1) } },
  CadastrePartitionsLeaderless: { series: { [`cadastre_control_plane_partitions_leaderless${orders}`]: still(1) } },
  CadastreWritesRefused: { series: { [`cadastre_control_plane_partitions_below_min_in_sync${orders}`]: still(1) } },
  CadastreUnderReplicated: { series: { [`cadastre_control_plane_partitions_under_replicated${orders}`]: still(1) } },
  CadastreNodeDown: { series: { [`cadastre_control_plane_nodes${labelled('state="down"')}`]: still(1) } },
  CadastreReplicationLag: { series: { [`cadastre_agent_replication_lag_seconds${A}`]: still(1.1) } },
  CadastreInSyncSetsShrink: {
    series: { [`cadastre_agent_in_sync_changes_total${labelled('change="shrunk"')}`]: grows(2) },
  },
  CadastreWritePauses: { series: { [`cadastre_agent_write_pauses_total${A}`]: grows(1) } },
  CadastreAgentAlone: { series: { [`cadastre_agent_session_up${A}`]: still(0) } },
  CadastrePartitionTooLarge: { series: { [`cadastre_control_plane_top_partition_bytes${first}`]: still(2.1e8) } },
  CadastrePartitionTooHot: {
    series: { [`cadastre_control_plane_top_partition_operations_per_second${first}`]: still(310) },
  },
  CadastreScatterGather: {
    series: { [`cadastre_router_operations_total${labelled('effect="read", partitions="many"')}`]: grows(70) },
  },
  CadastreCrossPartitionWrites: {
    series: {
      'cadastre_client_operations_total{job="shop", effect="write", partitions="one"}': grows(80),
      'cadastre_client_operations_total{job="shop", effect="write", partitions="many"}': grows(20),
    },
  },
  CadastreRequestsSlow: { series: slower(240, 200), at: 230 },
  CadastreRequestsFail: {
    series: { [`cadastre_agent_requests_total${labelled('kind="get", code="UNAVAILABLE"')}`]: grows(300) },
  },
  CadastreQueueFull: { series: { [`cadastre_agent_requests_waiting${A}`]: still(9_000) } },
  CadastreEventLoopBlocked: { series: { [`nodejs_eventloop_lag_p99_seconds${A}`]: still(0.3) } },
  CadastreDiskFills: { series: { [`cadastre_data_free_bytes${A}`]: still(14) } },
  CadastreEtcdNearlyFull: { series: { [`cadastre_etcd_database_bytes${A}`]: still(81) } },
  CadastreEtcdAlarm: { series: { [`cadastre_etcd_alarms${labelled('alarm="NOSPACE"')}`]: still(1) } },
  CadastreEtcdUnsteady: { series: { [`cadastre_etcd_leader_changes_total${A}`]: '0+0.2x120' } },
  CadastreCertificateExpires: {
    series: { [`cadastre_certificate_expiry_timestamp_seconds${labelled('use="own"')}`]: still(6 * 86_400) },
    at: 100,
  },
};
