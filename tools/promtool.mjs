// Finds a promtool, which evaluates alert rules, and unpacks the distribution's when there is none: `node tools/promtool.mjs` prints its path.
import { findTool, printPath } from './support/packaged-tool.mjs';
import { isMain } from './support/paths.mjs';
import { capture } from './support/run.mjs';

const tool = {
  name: 'promtool',
  variable: 'CADASTRE_PROMTOOL',
  packageName: 'prometheus',
  need: 'promtool of Prometheus 2.30 or newer',
  // Debian 13 has it in another package.
  ownSuiteFirst: true,
  judge(path) {
    const { ok, output } = capture(path, ['--version']);
    const [major = 0, minor = 0] = (output.match(/version (\d+)\.(\d+)/) ?? []).slice(1).map(Number);
    if (ok && (major > 2 || (major === 2 && minor >= 30))) return undefined;
    return ok ? `is ${major}.${minor}` : 'does not run';
  },
};

/** The path of promtool. Throws an Error with what was tried and what to do. */
export const findPromtool = () => findTool(tool);

if (isMain(import.meta.url)) await printPath(findPromtool);
