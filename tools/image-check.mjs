// Replays the Dockerfile without Docker: copies and runs its steps in folders of their own, from what is committed, with this machine's Node,
// then starts each program of the last stage: `node tools/image-check.mjs`. Users, modes and the base image are not replayed. Takes about a minute.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './support/paths.mjs';
import { capture, tail } from './support/run.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cadastre-image-'));
const context = join(folder, 'context');
const print = (line) => process.stdout.write(`${line}\n`);

function must(command, args, options) {
  const { ok, output } = capture(command, args, options);
  if (!ok) throw new Error(`${[command, ...args].join(' ')}:\n${tail(output, 20)}`);
}

function replay() {
  mkdirSync(context);
  must('sh', ['-c', `git -C '${root}' archive HEAD | tar x -C '${context}'`]);
  const stages = new Map();
  let stage;
  for (const line of readFileSync(join(context, 'Dockerfile'), 'utf8').split('\n')) {
    const [word, ...words] = line.split(' ');
    if (word === 'FROM') {
      stage = { path: join(folder, `stage-${stages.size}`), cwd: '/' };
      stages.set(words[2] ?? '', stage);
      mkdirSync(stage.path);
    } else if (word === 'WORKDIR') {
      stage.cwd = words[0];
      mkdirSync(join(stage.path, stage.cwd), { recursive: true });
    } else if (word === 'RUN') {
      print(`  ${line}`);
      must('sh', ['-c', words.join(' ')], { cwd: join(stage.path, stage.cwd) });
    } else if (word === 'COPY') copy(stage, stages, words);
  }
  return join(stage.path, stage.cwd);
}

function copy(stage, stages, words) {
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  const to = paths.pop();
  const target = to.startsWith('/') ? join(stage.path, to) : join(stage.path, stage.cwd, to);
  for (const path of paths) {
    const source = from === undefined ? join(context, path) : join(stages.get(from).path, path);
    // With several sources, or a name that ends in a slash, the target is a folder.
    const isInto = paths.length > 1 || (to.endsWith('/') && from === undefined);
    cpSync(source, isInto ? join(target, path) : target, { recursive: true, verbatimSymlinks: true });
  }
}

/** Runs a program of the image until it ends or says `wanted`. */
function start(app, words, wanted) {
  const child = spawn('sh', [join(root, 'tools/image/entrypoint.sh'), ...words], {
    env: { PATH: process.env.PATH, HOME: folder, NODE_ENV: 'production', CADASTRE_APP: app },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      text += data;
      if (text.includes(wanted)) child.kill('SIGTERM');
    });
  return new Promise((resolve, reject) =>
    child.on('close', () => {
      clearTimeout(timer);
      if (!text.includes(wanted)) reject(new Error(`${words.join(' ')} did not say "${wanted}":\n${tail(text, 20)}`));
      else resolve(print(`  ${words[0]} says ${wanted}`));
    }),
  );
}

try {
  const app = replay();
  const nobody = ['--control-plane', '127.0.0.1:1', '--insecure'];
  const data = join(folder, 'data');
  await start(app, ['storage-agent', '--id', 'n1', '--data', data, ...nobody], '"listening"');
  const patience = ['--start-timeout-ms', '300'];
  await start(
    app,
    ['control-plane', '--id', 'cp1', '--etcd', 'http://127.0.0.1:1', '--insecure', ...patience],
    'cadastre control plane: etcd',
  );
  await start(app, ['router', ...nobody], 'cadastre-router: ');
  await start(app, ['node-labels', '--help'], 'usage:');
  await start(app, ['cadastre', '--help'], 'Usage: cadastre');
  must('test', ['!', '-e', join(app, 'node_modules', 'typescript')]);
  print('the image can be built and its programs start');
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
