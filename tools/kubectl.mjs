// Finds a kubectl whose kustomize is not too old, and unpacks the distribution's when there is none: `node tools/kubectl.mjs` prints its path.
import { findTool, printPath } from './support/packaged-tool.mjs';
import { isMain } from './support/paths.mjs';
import { capture } from './support/run.mjs';

/** Since 1.21 its kustomize knows components and labels; before that it was years older than the tool itself. */
const LEAST = [1, 21];

const tool = {
  name: 'kubectl',
  variable: 'CADASTRE_KUBECTL',
  packageName: 'kubernetes-client',
  need: `kubectl of ${LEAST.join('.')} or newer`,
  judge,
};

/** The path of a kubectl that can build k8s/. Throws an Error with what was tried and what to do. */
export const findKubectl = () => findTool(tool);

function judge(path) {
  const { ok, output } = capture(path, ['version', '--client', '-o', 'json']);
  const [major = 0, minor = 0] = (output.match(/"gitVersion":\s*"v(\d+)\.(\d+)/) ?? []).slice(1).map(Number);
  if (ok && (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]))) return undefined;
  return ok ? `is ${major}.${minor}, older than ${LEAST.join('.')}` : 'does not run';
}

if (isMain(import.meta.url)) await printPath(findKubectl);
