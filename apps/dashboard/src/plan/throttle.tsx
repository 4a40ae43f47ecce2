import { useState } from 'preact/hooks';
import { mutate, signed } from '../model/acts.js';
import { get } from '../model/api.js';
import type { Settings } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { formatRate } from '../model/format.js';
import { may } from '../model/store.js';
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

/** How fast copies may go: holds at once, also for those under way. */
export const Throttle = () => {
  const [changed, setChanged] = useState<Settings | undefined>(undefined);
  const { data, error } = useData('settings', () => get<Settings>('/api/v1/settings'));
  const { note, run } = useAct();
  const settings = changed ?? data;
  if (!settings) return error ? <p class="quiet">The throttle cannot be read: {error}</p> : null;
  const set = (field: Field, rate: number) => {
    setChanged({ ...settings, [field]: rate });
    void run(async () => {
      try {
        setChanged(await mutate<Settings>('/api/v1/settings', { ...signed(''), [field]: rate }));
        return `Copies ${field === 'nodeBytesPerSecond' ? 'of a node' : 'of the cluster'}: ${formatRate(rate)} from now on.`;
      } catch (refusal) {
        setChanged(settings);
        throw refusal;
      }
    });
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
