import { get, path } from '../model/api.js';
import type { Plan, Report } from '../model/api.types.js';
import { formatBytes, formatDuration } from '../model/format.js';
import { Cli, Fact } from '../ui/parts.js';
import { useData } from '../ui/use-data.js';

/** What was planned against what was. */
export const ReportView = ({ plan }: { readonly plan: Plan }) => {
  const { data } = useData(`report ${plan.id} ${plan.state}`, () => get<Report>(path`/api/v1/plans/${plan.id}/report`));
  if (!data) return null;
  return (
    <div id="plan-report">
      <h3 class="sub">Report</h3>
      <p>{data.outcome}</p>
      <dl class="meta">
        <Fact name="time">
          {formatDuration(data.actualMs)}
          {data.pausedMs > 0 && ` (${formatDuration(data.pausedMs)} of it paused)`}, planned{' '}
          {formatDuration(data.plannedMs)}
        </Fact>
        <Fact name="copied">
          {formatBytes(data.actualBytes)}, planned {formatBytes(data.plannedBytes)}
        </Fact>
        <Fact name="sha-256">
          <span class="mono">{data.sha256}</span>
        </Fact>
      </dl>
      <Cli commands={[`cadastre report show ${plan.id}`]} />
    </div>
  );
};
