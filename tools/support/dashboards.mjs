/** What the Grafana dashboards show, as data: each panel has a title, a unit and queries with their legends. Pure. */

const p99 = (metric, by, more = '') =>
  `histogram_quantile(0.99, sum by (${by}, le) (rate(${metric}_bucket${more}[$__rate_interval])))`;
const rate = (metric, by, more = '') => `sum by (${by}) (rate(${metric}${more}[$__rate_interval]))`;
const highest = (metric, by, more = '') => `max${by ? ` by (${by})` : ''} (${metric}${more})`;

const overview = {
  uid: 'cadastre-overview',
  title: 'Cadastre',
  rows: [
    [
      stat('Active controller', 'short', 'max(cadastre_control_plane_is_active) or vector(0)', { good: 1 }),
      stat('Frozen', 'short', 'max(cadastre_control_plane_frozen)', { bad: 1 }),
      stat('Nodes down', 'short', highest('cadastre_control_plane_nodes', '', '{state="down"}'), { bad: 1 }),
      stat('Unavailable', 'short', 'sum(max by (keyspace) (cadastre_control_plane_partitions_unavailable))', {
        bad: 1,
      }),
      stat('Under-replicated', 'short', 'sum(max by (keyspace) (cadastre_control_plane_partitions_under_replicated))', {
        bad: 1,
      }),
      stat('Plans that run', 'short', 'sum(max by (state) (cadastre_control_plane_plans{state!="proposed"}))'),
    ],
    [
      graph('Requests by kind', 'reqps', [[rate('cadastre_agent_requests_total', 'kind'), '{{kind}}']]),
      graph('Requests that were not answered well', 'reqps', [
        [rate('cadastre_agent_requests_total', 'code', '{code!="OK"}'), '{{code}}'],
      ]),
      graph('99 of 100 requests within', 's', [[p99('cadastre_agent_request_duration_seconds', 'kind'), '{{kind}}']]),
    ],
    [
      graph('Replication lag', 's', [[highest('cadastre_agent_replication_lag_seconds', 'instance'), '{{instance}}']]),
      graph('Data by keyspace', 'bytes', [
        [highest('cadastre_control_plane_keyspace_bytes', 'keyspace'), '{{keyspace}}'],
      ]),
      graph('Data by node', 'bytes', [[highest('cadastre_control_plane_node_stored_bytes', 'node'), '{{node}}']]),
    ],
    [
      graph('Largest partitions, against the average', 'short', [
        [
          'max by (keyspace, rank) (cadastre_control_plane_top_partition_bytes{rank=~"1|2|3"}) / on (keyspace) group_left () (max by (keyspace) (cadastre_control_plane_keyspace_bytes) / max by (keyspace) (cadastre_control_plane_partitions))',
          '{{keyspace}} {{rank}}',
        ],
      ]),
      graph('Hottest partitions, against the average', 'short', [
        [
          'max by (keyspace, rank) (cadastre_control_plane_top_partition_operations_per_second{rank=~"1|2|3"}) / on (keyspace) group_left () (max by (keyspace) (cadastre_control_plane_keyspace_operations_per_second) / max by (keyspace) (cadastre_control_plane_partitions))',
          '{{keyspace}} {{rank}}',
        ],
      ]),
      graph('Share that asks several partitions', 'percentunit', [
        [
          'sum by (effect) (rate(cadastre_router_operations_total{partitions="many"}[$__rate_interval])) / sum by (effect) (rate(cadastre_router_operations_total[$__rate_interval]))',
          '{{effect}} by routers',
        ],
      ]),
    ],
  ],
};

const agents = {
  uid: 'cadastre-agents',
  title: 'Cadastre: agents',
  rows: [
    [
      graph('Requests', 'reqps', [[rate('cadastre_agent_requests_total', 'instance'), '{{instance}}']]),
      graph('99 of 100 requests within', 's', [
        [p99('cadastre_agent_request_duration_seconds', 'instance'), '{{instance}}'],
      ]),
      graph('99 of 100 commits within', 's', [
        [p99('cadastre_agent_commit_duration_seconds', 'instance'), '{{instance}}'],
      ]),
    ],
    [
      graph('Waiting and in flight', 'short', [
        [highest('cadastre_agent_requests_waiting', 'instance'), '{{instance}} waiting'],
        [highest('cadastre_agent_requests_in_flight', 'instance'), '{{instance}} in flight'],
      ]),
      graph('Replication lag', 's', [[highest('cadastre_agent_replication_lag_seconds', 'instance'), '{{instance}}']]),
      graph('Entries behind', 'short', [
        [highest('cadastre_agent_replication_lag_entries', 'instance'), '{{instance}}'],
      ]),
    ],
    [
      graph('Copies by what they do', 'short', [['sum by (phase) (cadastre_agent_partitions)', '{{phase}}']]),
      graph('In-sync sets grow and shrink', 'ops', [
        [rate('cadastre_agent_in_sync_changes_total', 'change'), '{{change}}'],
      ]),
      graph('Pauses of a change of leader', 's', [
        [p99('cadastre_agent_leader_pause_seconds', 'instance'), '{{instance}}'],
      ]),
    ],
    [
      graph('Copies of partitions', 'Bps', [
        [rate('cadastre_agent_transfer_bytes_total', 'instance, direction'), '{{instance}} {{direction}}'],
      ]),
      graph('Stored', 'bytes', [['sum by (instance) (cadastre_agent_stored_bytes)', '{{instance}}']]),
      graph('Disk left', 'percentunit', [['cadastre_data_free_bytes / cadastre_data_disk_bytes', '{{instance}}']]),
    ],
    [
      graph('Event loop held', 's', [
        [
          'nodejs_eventloop_lag_p99_seconds * on (instance, job) group_left () cadastre_build_info{component="storage-agent"}',
          '{{instance}}',
        ],
      ]),
      graph('CPU', 'percentunit', [
        [
          'rate(process_cpu_seconds_total[$__rate_interval]) * on (instance, job) group_left () cadastre_build_info{component="storage-agent"}',
          '{{instance}}',
        ],
      ]),
      graph('Memory', 'bytes', [
        [
          'process_resident_memory_bytes * on (instance, job) group_left () cadastre_build_info{component="storage-agent"}',
          '{{instance}}',
        ],
      ]),
    ],
  ],
};

const controlPlane = {
  uid: 'cadastre-control-plane',
  title: 'Cadastre: control plane',
  rows: [
    [
      graph('Active', 'short', [['cadastre_control_plane_is_active', '{{instance}}']]),
      graph('Generation of the map', 'short', [
        [highest('cadastre_control_plane_map_generation', 'keyspace'), '{{keyspace}}'],
      ]),
      graph('Failovers', 'ops', [
        ['sum(rate(cadastre_control_plane_failovers_total[$__rate_interval]))', 'partitions'],
      ]),
    ],
    [
      graph('Watchers', 'short', [['sum(cadastre_control_plane_watchers)', 'streams']]),
      graph('Watchers behind', 'short', [
        ['sum by (keyspace) (cadastre_control_plane_watchers_behind)', '{{keyspace}}'],
      ]),
      graph('99 of 100 have a change within', 's', [
        [p99('cadastre_control_plane_watcher_lag_seconds', 'keyspace'), '{{keyspace}}'],
      ]),
    ],
    [
      graph('Moves of plans that run', 'short', [
        [highest('cadastre_control_plane_moves', 'phase', '{phase!="done"}'), '{{phase}}'],
        ['max(cadastre_control_plane_moves_stalled)', 'stalled'],
        ['max(cadastre_control_plane_moves_throttled)', 'throttled'],
      ]),
      graph('Bytes of plans that run', 'bytes', [[highest('cadastre_control_plane_plan_bytes', 'part'), '{{part}}']]),
      graph('Limits on copies', 'Bps', [
        [highest('cadastre_control_plane_throttle_bytes_per_second', 'scope'), '{{scope}}'],
      ]),
    ],
    [
      graph('gRPC calls', 'reqps', [[rate('cadastre_control_plane_requests_total', 'method'), '{{method}}']]),
      graph('99 of 100 calls within', 's', [
        [p99('cadastre_control_plane_request_duration_seconds', 'method'), '{{method}}'],
      ]),
      graph('Changes of the register that wait', 'short', [['cadastre_control_plane_register_queue', '{{instance}}']]),
    ],
    [
      graph('etcd: database', 'bytes', [
        ['max(cadastre_etcd_database_bytes)', 'size'],
        ['max(cadastre_etcd_database_in_use_bytes)', 'in use'],
        ['max(cadastre_etcd_quota_bytes)', 'quota'],
      ]),
      graph('etcd: alarms', 'short', [[highest('cadastre_etcd_alarms', 'alarm'), '{{alarm}}']]),
      graph('etcd: changes of leader', 'short', [
        ['max(increase(cadastre_etcd_leader_changes_total[1h]))', 'within an hour'],
      ]),
    ],
  ],
};

function stat(title, unit, query, { good, bad } = {}) {
  const steps = [{ color: good === undefined ? 'green' : 'red', value: null }];
  if (good !== undefined) steps.push({ color: 'green', value: good });
  if (bad !== undefined) steps.push({ color: 'red', value: bad });
  return { type: 'stat', title, unit, queries: [[query, '']], steps };
}

function graph(title, unit, queries) {
  return { type: 'timeseries', title, unit, queries };
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const WIDTH = 24;

function panelOf({ type, title, unit, queries, steps }, id, gridPos) {
  const thresholds = steps ? { thresholds: { mode: 'absolute', steps } } : {};
  return {
    id,
    type,
    title,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0, ...thresholds }, overrides: [] },
    options: steps
      ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'background' }
      : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  };
}

function dashboardOf({ uid, title, rows }) {
  let y = 0;
  let id = 0;
  const panels = rows.flatMap((row) => {
    const h = row[0].type === 'stat' ? 4 : 8;
    const w = WIDTH / row.length;
    const at = y;
    y += h;
    return row.map((panel, i) => panelOf(panel, (id += 1), { x: i * w, y: at, w, h }));
  });
  return {
    uid,
    title,
    tags: ['cadastre'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus', hide: 0, current: {} },
      ],
    },
    links: [{ type: 'dashboards', title: 'Cadastre', tags: ['cadastre'], asDropdown: false, icon: 'external link' }],
    panels,
  };
}

/** By file name. */
export const dashboards = Object.fromEntries(
  [
    ['overview', overview],
    ['agents', agents],
    ['control-plane', controlPlane],
  ].map(([name, board]) => [`${name}.json`, dashboardOf(board)]),
);
