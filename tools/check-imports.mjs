// Checks who imports what (support/import-rules.mjs holds the rules): `node tools/check-imports.mjs`.
import { builtinModules } from 'node:module';
import { basename, join, posix, relative, sep } from 'node:path';
import { listFiles, readText } from './support/files.mjs';
import { findCycles } from './support/import-cycles.mjs';
import * as rules from './support/import-rules.mjs';
import { parseSource } from './support/parse-source.mjs';
import { isMain, root } from './support/paths.mjs';

const builtins = new Set(builtinModules);

/**
 * Checks a set of sources. `files` maps a path from the checkout's root (`libs/core/src/x.ts`) to its text, `manifests`
 * a folder (`libs/core`) to its parsed package.json; folders without one are not checked for declared dependencies.
 * Returns violations as `{ file, line, rule, message, reason }`, in order of file and line. Pure.
 */
export function checkImports(files, manifests = new Map()) {
  const violations = [];
  const graph = new Map();
  for (const [file, text] of files) {
    const report = (line, rule, message, reason) => violations.push({ file, line, rule, message, reason });
    const place = placeOf(file);
    const source = tryParse(file, text, report);
    if (!source) continue;
    for (const each of source.imports) checkImport(each, place, manifests.get(place.folder), report);
    if (!place.isSpec && !place.isPage) checkGlobals(source, place, report);
    graph.set(file, edgesOf(file, source.imports, files));
  }
  for (const cycle of findCycles(graph)) {
    violations.push({ file: cycle[0], line: 1, rule: 'cycle', message: cycle.join(' -> '), reason: rules.cycleReason });
  }
  return violations.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** What a path says: `{ file, group, name, folder, isSpec, isPage }`. The dashboard is code for browsers, `src/testing` holds suites for specs. */
function placeOf(file) {
  const [group, name, , inner] = file.split('/');
  return {
    file,
    group,
    name,
    folder: `${group}/${name}`,
    isSpec: file.endsWith('.spec.ts') || inner === 'testing',
    isPage: rules.bundled.includes(`${group}/${name}`),
  };
}

function tryParse(file, text, report) {
  try {
    return parseSource(text, { tsx: file.endsWith('.tsx') });
  } catch (error) {
    report(1, 'syntax', `cannot be parsed: ${String(error.message ?? error).split('\n')[0]}`, rules.syntaxReason);
    return undefined;
  }
}

function checkImport({ specifier, line }, place, manifest, report) {
  if (specifier.startsWith('.')) checkRelative(specifier, line, place, report);
  else if (specifier.startsWith('@cadastre/')) checkOwn(specifier, line, place, manifest, report);
  else if (specifier.startsWith('node:') || builtins.has(specifier.split('/')[0]))
    checkBuiltin(specifier, line, place, report);
  else checkThirdParty(specifier, line, place, manifest, report);
}

function checkRelative(specifier, line, place, report) {
  const target = posix.normalize(posix.join(posix.dirname(place.file), specifier));
  if (!place.isSpec && target.startsWith(`${place.folder}/src/testing/`)) {
    report(line, 'testing', `imports ${specifier}`, rules.testingReason);
  }
  if (target.startsWith(`${place.folder}/src/`)) return;
  report(line, 'index', `imports ${specifier}, outside of ${place.folder}/src`, rules.indexReason);
}

function checkOwn(specifier, line, place, manifest, report) {
  const [, name, ...deeper] = specifier.split('/');
  if (deeper.length > 0)
    report(line, 'index', `imports ${specifier}, a path inside of @cadastre/${name}`, rules.indexReason);
  if (!isDeclared(`@cadastre/${name}`, manifest, place)) {
    report(
      line,
      'declared',
      `imports @cadastre/${name}, which ${place.folder}/package.json does not list`,
      rules.declaredReason,
    );
  }
  const reason = refusalOf(name, place);
  if (reason) report(line, 'layers', `imports @cadastre/${name}`, reason);
}

function refusalOf(name, place) {
  const rank = rules.ranks[name];
  if (rank === undefined) return rules.appReason;
  if (place.group === 'apps') return name === 'testkit' && !place.isSpec ? rules.testkitReason : undefined;
  if (name === place.name) return rules.indexReason;
  return rank < (rules.ranks[place.name] ?? -1) ? undefined : rules.layerReason;
}

function checkBuiltin(specifier, line, place, report) {
  if (place.isSpec) return;
  if (place.folder === 'libs/core') report(line, 'purity', `imports ${specifier}`, rules.coreReason);
  const name = specifier.replace(/^node:/, '');
  for (const each of rules.clockModules) {
    if (each.names.includes(name) && !isAllowedPlace(each, place))
      report(line, 'globals', `imports ${specifier}`, each.reason);
  }
}

function checkThirdParty(specifier, line, place, manifest, report) {
  const name = packageOf(specifier);
  if (place.isSpec && rules.testPackages.includes(name)) return;
  if (place.folder === 'libs/core' && !place.isSpec) report(line, 'purity', `imports ${specifier}`, rules.coreReason);
  const door = rules.doors.find(({ packages }) => packages.some((pattern) => matches(pattern, name)));
  if (door && !door.from.some((folder) => place.file.startsWith(folder)))
    report(line, 'doors', `imports ${name}`, door.reason);
  else if (!isDeclared(name, manifest, place)) {
    report(line, 'declared', `imports ${name}, which ${place.folder}/package.json does not list`, rules.declaredReason);
  }
}

function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function matches(pattern, name) {
  return pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function isDeclared(name, manifest, place) {
  if (!manifest || manifest.name === name) return true;
  const lists = [
    manifest.dependencies,
    manifest.peerDependencies,
    place.isSpec || place.isPage || place.name === 'testkit' ? manifest.devDependencies : {},
  ];
  const isTestTool = place.name === 'testkit' && rules.testPackages.includes(name);
  return isTestTool || lists.some((list) => list?.[name] !== undefined);
}

function checkGlobals(source, place, report) {
  const isFree = (name) => !source.declared.has(name.replace(/^new /, '').split(/[.(]/)[0]);
  for (const { name, line } of source.globals) {
    if (!isFree(name)) continue;
    const rule = rules.globals.find((each) => each.name === name);
    if (rule && !isAllowedPlace(rule, place)) report(line, 'globals', `uses ${name}`, rule.reason);
    else if (place.folder === 'libs/core' && rules.impureGlobals.includes(name))
      report(line, 'purity', `uses ${name}`, rules.coreReason);
  }
}

function isAllowedPlace({ folders, appFiles }, place) {
  if (folders.some((folder) => place.file.startsWith(folder))) return true;
  return place.group === 'apps' && appFiles.includes(basename(place.file));
}

function edgesOf(file, imports, files) {
  const targets = imports.filter(({ isType }) => !isType).map(({ specifier }) => resolve(file, specifier, files));
  return [...new Set(targets)].filter((target) => target !== undefined && files.has(target)).sort();
}

function resolve(file, specifier, files) {
  if (specifier.startsWith('.')) {
    const path = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
    return files.has(`${path}x`) ? `${path}x` : path;
  }
  const own = specifier.match(/^@cadastre\/([^/]+)$/)?.[1];
  return own && `${rules.ranks[own] === undefined ? 'apps' : 'libs'}/${own}/src/index.ts`;
}

/** Reads the sources of this checkout, for `checkImports`. */
export function readSources() {
  const paths = ['libs', 'apps'].flatMap((group) => listFiles(join(root, group)));
  const name = (path) => relative(root, path).split(sep).join('/');
  const sources = paths.filter(
    (path) => /^(libs|apps)\/[^/]+\/src\/.*\.tsx?$/.test(name(path)) && !name(path).includes('/src/generated/'),
  );
  const manifests = paths.filter((path) => /^(libs|apps)\/[^/]+\/package\.json$/.test(name(path)));
  return {
    files: new Map(sources.map((path) => [name(path), readText(path)])),
    manifests: new Map(manifests.map((path) => [posix.dirname(name(path)), JSON.parse(readText(path))])),
  };
}

export function describeViolation({ file, line, rule, message, reason }) {
  return `${file}:${line}: [${rule}] ${message}\n    because ${reason}`;
}

if (isMain(import.meta.url)) {
  const { files, manifests } = readSources();
  const violations = checkImports(files, manifests);
  for (const each of violations) process.stdout.write(`${describeViolation(each)}\n`);
  process.stdout.write(`${files.size} files checked, ${violations.length} violations\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
