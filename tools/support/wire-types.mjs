import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';
import { listFiles, writeIfChanged } from './files.mjs';
import { root } from './paths.mjs';
import { capture, tail } from './run.mjs';

const protoFolder = join(root, 'proto');
const target = join(root, 'libs', 'contracts', 'src', 'generated');
const generator = join(root, 'node_modules', '.bin', 'proto-loader-gen-types');

// libs/contracts/src/proto.ts loads the same files with the same options at run time, or the types would lie.
const options = [
  '--longs=Number',
  '--enums=String',
  '--defaults',
  '--arrays',
  '--oneofs',
  '--includeComments',
  '--grpcLib=@grpc/grpc-js',
  '--importFileExtension=.js',
];

/**
 * Generates TypeScript from every file under `proto/` into `libs/contracts/src/generated`. Files whose text is the
 * same keep their time (so tsc rebuilds only what changed), files of removed messages go. Returns `{ ok, output, changed }`.
 */
export function generateWireTypes() {
  const sources = listFiles(protoFolder).filter((path) => path.endsWith('.proto'));
  if (sources.length === 0) return { ok: true, output: 'no .proto files yet', changed: 0 };
  const scratch = mkdtempSync(join(tmpdir(), 'cadastre-wire-'));
  try {
    const names = sources.map((path) => relative(protoFolder, path));
    const run = capture(generator, [...options, '-I', protoFolder, '-O', scratch, ...names], { cwd: root });
    const made = listFiles(scratch);
    // The generator reports a broken .proto on its output and still ends with 0.
    if (!run.ok || /Error:/.test(run.output)) return { ok: false, output: tail(run.output, 12), changed: 0 };
    return { ok: true, output: '', changed: replaceTarget(scratch, made) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function replaceTarget(scratch, made) {
  mkdirSync(target, { recursive: true });
  const wanted = new Map(
    made.map((path) => [join(target, relative(scratch, path)), clean(readFileSync(path, 'utf8'))]),
  );
  wanted.set(join(target, 'index.ts'), indexOf(made.map((path) => relative(scratch, path))));
  let changed = 0;
  for (const [to, text] of wanted) changed += writeIfChanged(to, text) ? 1 : 0;
  for (const path of listFiles(target)) {
    if (wanted.has(path)) continue;
    rmSync(path);
    changed += 1;
  }
  return changed;
}

// One door to all messages, enums and services. The files beside it (one for each .proto) only list them again.
function indexOf(names) {
  const messages = names.filter((name) => name.includes(sep) && !basename(name).startsWith('index'));
  return messages.map((name) => `export * from './${name.split(sep).join('/').replace(/\.ts$/, '.js')}';\n`).join('');
}

// The generator writes where it read a file from, relative to the working directory: that must not differ between machines.
function clean(text) {
  return text.replace(/^\/\/ Original file: .*?(proto\/)/m, '// Original file: $1');
}
