import { useEffect, useRef, useState } from 'preact/hooks';
import { mutate, signed } from '../model/acts.js';
import { get } from '../model/api.js';
import type { Settings } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { formatRate } from '../model/format.js';
import { may, now } from '../model/store.js';
import { Cli, Message } from '../ui/parts.js';
import { useAct } from '../ui/use-act.js';
import { useData } from '../ui/use-data.js';

const MIB = 1024 * 1024;
/** Stops of the slider; the last is without a limit. */
const STOPS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024].map((mib) => mib * MIB);

const stopOf = (rate: number): number => {
  const at = rate === 0 ? -1 : STOPS.findIndex((stop) => stop >= rate);
  return at < 0 ? STOPS.length : at;
};
const rateOf = (stop: number): number => STOPS[stop] ?? 0;
const cliRate = (rate: number): string => (rate === 0 ? 'none' : `${rate / MIB}MiB/s`);

type Field = 'nodeBytesPerSecond' | 'clusterBytesPerSecond';

interface SliderProps {
  readonly id: Field;
  readonly text: string;
  readonly settings: Settings;
  readonly onSet: (field: Field, rate: number) => void;
}

const Slider = ({ id, text, settings, onSet }: SliderProps) => {
  const [stop, setStop] = useState<number | undefined>(undefined);
  const shown = stop ?? stopOf(settings[id]);
  const words = stop === undefined ? formatRate(settings[id]) : formatRate(rateOf(stop));
  return (
    <label class="throttle">
      <span>{text}</span>
      <input
        type="range"
        id={id}
        min={0}
        max={STOPS.length}
        step={1}
        value={shown}
        aria-valuetext={words}
        disabled={!may('control')}
        onInput={(e) => setStop(Number(e.currentTarget.value))}
        onChange={(e) => {
          onSet(id, rateOf(Number(e.currentTarget.value)));
          setStop(undefined);
        }}
      />
      <output>{words}</output>
    </label>
  );
};

const REREAD_MS = 5_000;

type Rates = Pick<Settings, Field>;

const saidOf = ({ nodeBytesPerSecond: node, clusterBytesPerSecond: cluster }: Partial<Rates>): string =>
  [
    ...(node === undefined ? [] : [`of a node: ${formatRate(node)}`]),
    ...(cluster === undefined ? [] : [`of the cluster: ${formatRate(cluster)}`]),
  ].join(', ');

interface Turned {
  /** Asked for and not answered yet. */
  readonly wanted?: Settings;
  /** Answered; stands until the settings are read again. */
  readonly answer?: Settings;
  readonly count: number;
}

/** As the server has them, read again and again: somebody else may turn them too. */
const useSettings = () => {
  const [{ wanted, answer, count }, turn] = useState<Turned>({ count: 0 });
  const tick = Math.floor(now.value / REREAD_MS);
  // What was asked for before a change was answered is not looked at: it may be of before.
  const { data, error } = useData(`settings ${tick} ${count}`, () => get<Settings>('/api/v1/settings'));
  useEffect(() => turn(({ answer: _, ...rest }) => rest), [data]);
  const change = async (before: Settings, by: Partial<Settings>): Promise<Settings> => {
    turn((old) => ({ ...old, wanted: { ...before, ...by } }));
    try {
      const settings = await mutate<Settings>('/api/v1/settings', { ...signed(''), ...by });
      turn((old) => ({ answer: settings, count: old.count + 1 }));
      return settings;
    } catch (refusal) {
      turn((old) => ({ count: old.count + 1 }));
      throw refusal;
    }
  };
  return { settings: wanted ?? answer ?? data, error, change };
};

/** How fast copies may go: holds at once, also for those under way. */
export const Throttle = () => {
  const { settings, error, change } = useSettings();
  const { note, run } = useAct();
  /** What is turned while a change is on its way is not lost. */
  const wish = useRef<Partial<Rates> | undefined>(undefined);
  if (!settings) return error ? <p class="quiet">The throttle cannot be read: {error}</p> : null;
  const turn = async (): Promise<string> => {
    let known = settings;
    let said = '';
    try {
      for (let next = wish.current; next; next = wish.current) {
        wish.current = undefined;
        known = await change(known, next);
        said = `Copies ${saidOf(next)} from now on.`;
      }
    } finally {
      wish.current = undefined;
    }
    return said;
  };
  const set = (field: Field, rate: number) => {
    wish.current = { ...wish.current, [field]: rate };
    void run(turn);
  };
  return (
    <div id="throttle">
      <h3 class="sub">Throttle</h3>
      <Slider id="nodeBytesPerSecond" text="each node" settings={settings} onSet={set} />
      <Slider id="clusterBytesPerSecond" text="whole cluster" settings={settings} onSet={set} />
      <Message id="throttle-message" note={note} />
      <Cli
        commands={[
          command(
            'throttle',
            '--node',
            cliRate(settings.nodeBytesPerSecond),
            '--cluster',
            cliRate(settings.clusterBytesPerSecond),
          ),
        ]}
      />
    </div>
  );
};
