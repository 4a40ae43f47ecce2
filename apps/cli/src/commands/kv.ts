import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { CadastreError, checkName } from '@cadastre/core';
import { CadastreClient, type KeyspaceClient } from '@cadastre/client';
import { sha256Hex } from '@cadastre/runtime';
import { plural, showBytes } from '../format.js';
import { EXIT, type ExitCode } from '../io.js';
import { KeyedPool } from '../records/in-order.js';
import type { Chunks, ParsedRecord } from '../records/record.js';
import { formatOf, FORMATS, readRecords } from '../records/record.js';
import { Tally } from '../records/tally.js';
import { checkCount } from '../supervisor/topology.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface RecordOptions {
  readonly format?: string;
  readonly key?: string;
  readonly limit?: string;
  readonly concurrency: string;
}

const PROGRESS_PERIOD_MS = 500;
/** A run outlasts the death of a node: its lease of 10 s, then the change of leader. */
const RUN_TIMEOUT_MS = 40_000;
/** So many failures in a row are no accident: the rest of the file would fail as slowly. */
const GIVE_UP_MIN = 100;

export const addKvCommands = (program: Command, session: Session): void => {
  const kv = program.command('kv').description('records of a keyspace, through the smart client');
  act(
    session,
    kv.command('get').argument('<keyspace>').argument('<key>').description('exit code 1 when there is none'),
    (context, [name, key]) =>
      withKeyspace(context, name!, async (keyspace) => {
        const value = await keyspace.get(key!);
        if (!value)
          throw new CadastreError('NOT_FOUND', `key: "${key}" has no value in ${name}`, {
            field: 'key',
            remedy: 'look for it: cadastre kv scan',
          });
        context.out.result({ key, value }, () => `${showBytes(value)}\n`);
      }),
  );
  act(
    session,
    kv.command('put').argument('<keyspace>').argument('<key>').argument('<value>').description('write one record'),
    (context, [name, key, value]) =>
      withKeyspace(context, name!, async (keyspace) => {
        const written = await keyspace.put(key!, value!);
        context.out.result(
          { key, epoch: written.epoch, seq: written.seq },
          () => `written at epoch ${written.epoch}, number ${written.seq} of its partition's log\n`,
        );
      }),
  );
  act(
    session,
    kv.command('delete').argument('<keyspace>').argument('<key>').description('delete one record'),
    (context, [name, key]) =>
      withKeyspace(context, name!, async (keyspace) => {
        const written = await keyspace.delete(key!);
        context.out.result({ key, epoch: written.epoch, seq: written.seq }, () => 'deleted\n');
      }),
  );
  addScan(kv, session);
  addRuns(kv, session);
};

const addScan = (kv: Command, session: Session): void => {
  const scan = kv
    .command('scan')
    .argument('<keyspace>')
    .description('records in key order; with --json a record a line')
    .option('--start <key>', 'inclusive')
    .option('--end <key>', 'exclusive')
    .option('--prefix <text>')
    .option('--limit <n>', 'at most so many', '100')
    .option('--keys', 'without values');
  act<{ start?: string; end?: string; prefix?: string; limit: string; keys?: boolean }>(
    session,
    scan,
    (context, [name], options) =>
      withKeyspace(context, name!, async (keyspace) => {
        const { start, end, prefix, keys = false } = options;
        const limit = checkCount('--limit', options.limit, 1, Number.MAX_SAFE_INTEGER);
        for await (const entry of keyspace.scan({
          limit,
          ...(start !== undefined && { start }),
          ...(end !== undefined && { end }),
          ...(prefix !== undefined && { prefix }),
        })) {
          context.out.result(keys ? { key: entry.key } : { key: entry.key, value: entry.value }, () =>
            keys ? `${showBytes(entry.key)}\n` : `${showBytes(entry.key)}\t${showBytes(entry.value)}\n`,
          );
        }
      }),
  );
};

const addRuns = (kv: Command, session: Session): void => {
  const common = (command: Command): Command =>
    command
      .argument('<keyspace>')
      .argument('<file>', '- for stdin')
      .option('--format <name>', `${FORMATS.join(', ')}; by default by the file's name`)
      .option('--key <field>', 'field or column that is the key')
      .option('--limit <n>', 'at most so many records')
      .option('--concurrency <n>', 'records at a time', '1000');
  const importing = common(
    kv.command('import').description('write all records of a file; exit code 1 when any failed'),
  );
  act<RecordOptions>(session, importing, (context, [name, file], options) =>
    withKeyspace(context, name!, (keyspace) => importFile(context, keyspace, file!, options), RUN_TIMEOUT_MS),
  );
  const verifying = common(
    kv.command('verify').description('read all records of a file again and compare; exit code 1 unless all are equal'),
  );
  act<RecordOptions>(session, verifying, (context, [name, file], options) =>
    withKeyspace(context, name!, (keyspace) => verifyFile(context, keyspace, file!, options), RUN_TIMEOUT_MS),
  );
};

const withKeyspace = async (
  context: Context,
  name: string,
  task: (keyspace: KeyspaceClient) => Promise<ExitCode | void>,
  requestTimeoutMs = 15_000,
): Promise<ExitCode | void> => {
  checkName('keyspace', name);
  const { clock, random } = context.io;
  const client = await CadastreClient.connect({
    controlPlanes: context.servers(),
    transport: context.transport(),
    name: 'cli',
    clock,
    random,
    requestTimeoutMs,
  });
  try {
    return await task(client.keyspace(name));
  } finally {
    await client.close();
  }
};

const chunksOf = (context: Context, file: string): Chunks =>
  file === '-' ? (context.io.stdin as Chunks) : (createReadStream(file) as Chunks);

async function* recordsOf(context: Context, file: string, options: RecordOptions): AsyncGenerator<ParsedRecord> {
  const limit =
    options.limit === undefined ? Infinity : checkCount('--limit', options.limit, 1, Number.MAX_SAFE_INTEGER);
  let taken = 0;
  try {
    for await (const record of readRecords(chunksOf(context, file), formatOf(options.format, file), options.key)) {
      yield record;
      taken += 1;
      if (taken >= limit) return;
    }
  } catch (error) {
    if (error instanceof CadastreError) throw error;
    throw new CadastreError('INVALID_ARGUMENT', `file: ${(error as Error).message}`, {
      field: 'file',
      remedy: 'check its name and its format',
    });
  }
}

/** Runs `task` over all records, a line of progress on a terminal. Ctrl-C ends it after the requests under way. */
const overRecords = async (
  context: Context,
  verb: string,
  records: AsyncIterable<ParsedRecord>,
  options: RecordOptions,
  task: (key: string, value: string) => Promise<void>,
): Promise<Tally> => {
  const { io, out } = context;
  const tally = new Tally(io.clock);
  const width = checkCount('--concurrency', options.concurrency, 1, 10_000);
  const giveUpAfter = Math.max(GIVE_UP_MIN, 2 * width);
  const pool = new KeyedPool(width);
  let interrupted = false;
  const off = io.onInterrupt(() => (interrupted = true));
  const ticker = io.clock.every(PROGRESS_PERIOD_MS, () => out.redraw(`${tally.line(verb)}\n`));
  const one = async (key: string, value: string): Promise<void> => {
    try {
      await task(key, value);
      tally.records += 1;
      tally.failedInARow = 0;
    } catch (error) {
      tally.failedInARow += 1;
      const { code, message } = CadastreError.from(error);
      tally.fail(`key ${key}`, `${code}: ${message}`);
    }
  };
  try {
    for await (const record of records) {
      if (interrupted || tally.failedInARow >= giveUpAfter) break;
      if (record.ok) await pool.add(record.key, () => one(record.key, record.value));
      else tally.fail(record.at, record.why);
    }
    await pool.drain();
  } finally {
    ticker.cancel();
    off();
    out.clear();
  }
  for (const reason of tally.reasons) out.warn(`failed: ${reason}`);
  if (tally.failedInARow >= giveUpAfter) out.warn(`given up: ${tally.failedInARow} requests in a row have failed`);
  if (interrupted) tally.fail('the run', 'interrupted');
  return tally;
};

const importFile = async (
  context: Context,
  keyspace: KeyspaceClient,
  file: string,
  options: RecordOptions,
): Promise<ExitCode> => {
  const writer = keyspace.bulkWriter();
  const tally = await overRecords(
    context,
    'imported',
    recordsOf(context, file, options),
    options,
    async (key, value) => {
      await writer.write({ type: 'put', key, value });
    },
  );
  const { records, failed, elapsedMs, perSecond } = tally;
  context.out.result(
    { records, failed, elapsedMs: Math.round(elapsedMs), perSecond },
    () => `${tally.line('imported')}\n`,
  );
  return failed > 0 ? EXIT.error : EXIT.ok;
};

/** Of several records with one key the last counts, as in an import. Keeps a hash of each value in memory. */
const verifyFile = async (
  context: Context,
  keyspace: KeyspaceClient,
  file: string,
  options: RecordOptions,
): Promise<ExitCode> => {
  const wanted = new Map<string, string>();
  const broken: ParsedRecord[] = [];
  for await (const record of recordsOf(context, file, options)) {
    if (record.ok) wanted.set(record.key, sha256Hex(record.value));
    else broken.push(record);
  }
  const found = { equal: 0, different: 0, missing: 0 };
  const tally = await overRecords(context, 'verified', stored(wanted, broken), options, async (key, hash) => {
    const value = await keyspace.get(key);
    if (!value) found.missing += 1;
    else if (sha256Hex(value) === hash) found.equal += 1;
    else found.different += 1;
  });
  const { failed, elapsedMs } = tally;
  const text = () =>
    `${plural(found.equal, 'record')} equal, ${found.different} different, ${found.missing} missing, ${failed} failed\n`;
  context.out.result({ ...found, failed, elapsedMs: Math.round(elapsedMs) }, text);
  return found.different + found.missing + failed > 0 ? EXIT.error : EXIT.ok;
};

async function* stored(
  wanted: ReadonlyMap<string, string>,
  broken: readonly ParsedRecord[],
): AsyncGenerator<ParsedRecord> {
  yield* broken;
  for (const [key, value] of wanted) yield { ok: true, key, value };
}
