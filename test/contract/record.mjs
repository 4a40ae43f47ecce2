// Records the contract as it is now. Refuses while it breaks the recorded one: numbers are for ever.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { breakingChanges, describeContract } from './describe.mjs';

const file = new URL('./v1.baseline.json', import.meta.url);
const now = describeContract();
const broken = existsSync(file) ? breakingChanges(JSON.parse(readFileSync(file, 'utf8')), now) : [];
if (broken.length > 0) {
  console.error(broken.join('\n'));
  process.exit(1);
}
writeFileSync(file, `${JSON.stringify(now, null, 1)}\n`);
