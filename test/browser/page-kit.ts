import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { findChromium } from '../../tools/chromium.mjs';

/** Pictures for people to look at; git does not keep them. */
export const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));

export const launch = async (): Promise<Browser> => {
  mkdirSync(ARTEFACTS, { recursive: true });
  const { path } = await findChromium();
  return chromium.launch({ executablePath: path, args: ['--no-sandbox'] });
};

export const shoot = async (page: Page, name: string): Promise<void> => {
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
};

/** What the page says went wrong: errors of scripts and of the console. */
export const complaintsOf = (page: Page): string[] => {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  return complaints;
};

export const overflow = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

/** By its link, as a person goes there: the page is not loaded again. */
export const goTo = async (page: Page, name: string): Promise<void> => {
  await page.click(`nav a[data-page=${name}]`);
};

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What axe finds serious or critical. Evaluated, not inserted: the page's policy refuses foreign scripts. */
export const seriousViolations = async (page: Page): Promise<string[]> => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResult>('axe.run(document, { resultTypes: ["violations"] })');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${n.html.slice(0, 160)} ${n.failureSummary.slice(0, 200)}`));
};
