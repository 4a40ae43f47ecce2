import type { MetricTable } from '@cadastre/runtime';
import { counter, gauge, histogram } from '@cadastre/runtime';

/** What a storage agent says of itself. No label has more values than there are keyspaces, kinds or codes. */
export const AGENT_METRICS = {
  requests: counter(
    'cadastre_agent_requests_total',
    'requests answered, by kind and code (OK or why not)',
    'kind',
    'code',
  ),
  duration: histogram(
    'cadastre_agent_request_duration_seconds',
    'from a request to its answer, failed ones too',
    'kind',
  ),
  inFlight: gauge('cadastre_agent_requests_in_flight', 'requests on streams that are not answered yet'),
  waiting: gauge('cadastre_agent_requests_waiting', 'calls that wait for a commit or for a leader to be ready'),
  waitingMax: gauge('cadastre_agent_requests_waiting_max', 'calls that may wait; more are refused'),
  commit: histogram(
    'cadastre_agent_commit_duration_seconds',
    'from a write to its acknowledgement by the in-sync copies',
  ),
  lagSeconds: gauge(
    'cadastre_agent_replication_lag_seconds',
    'of what is led here: age of the oldest write that in-sync copies have not all got, or since when a follower is behind and gets nowhere',
  ),
  lagEntries: gauge(
    'cadastre_agent_replication_lag_entries',
    'of what is led here: how far the last follower is behind',
  ),
  inSyncChanges: counter(
    'cadastre_agent_in_sync_changes_total',
    'copies that joined or left in-sync sets of what is led here',
    'change',
  ),
  leadPauses: histogram('cadastre_agent_leader_pause_seconds', 'from being named leader of a partition to serving it'),
  writePauses: counter(
    'cadastre_agent_write_pauses_total',
    'times that writes of a partition stood still for more than a second',
  ),
  partitions: gauge('cadastre_agent_partitions', 'copies here, by what they do', 'phase'),
  bytes: gauge('cadastre_agent_stored_bytes', 'live data of all copies here', 'keyspace'),
  records: gauge('cadastre_agent_stored_records', 'records of all copies here', 'keyspace'),
  fills: gauge('cadastre_agent_fills', 'copies that are being filled here'),
  transferLimit: gauge(
    'cadastre_agent_transfer_limit_bytes_per_second',
    'what copies may take together; 0 is no limit',
    'direction',
  ),
  transferred: counter('cadastre_agent_transfer_bytes_total', 'bytes of copies that went out or came in', 'direction'),
  generation: gauge('cadastre_agent_map_generation', 'number of the map that is acted on', 'keyspace'),
  followers: gauge('cadastre_agent_follower_nodes', 'nodes that follow here on a stream'),
  session: gauge('cadastre_agent_session_up', '1 while a control plane keeps the session'),
} as const satisfies MetricTable;
