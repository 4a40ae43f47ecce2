import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { formatTime, formatUtc, toneOf, type Tone } from '../model/format.js';

type Children = { readonly children?: ComponentChildren };

export const Chip = ({ word }: { readonly word: string }) => (
  <span class="chip" data-tone={toneOf(word)}>
    {word}
  </span>
);

export const Flag = ({ tone, children }: Children & { readonly tone: Tone }) => (
  <span class="flag" data-tone={tone}>
    {children}
  </span>
);

export const Bar = ({
  share,
  tone,
  mark,
}: {
  readonly share: number;
  readonly tone: string;
  readonly mark?: number | undefined;
}) => (
  <span class="bar" data-tone={tone} aria-hidden="true">
    <span class="bar-fill" style={{ width: `${clamp(share)}%` }} />
    {mark !== undefined && <span class="bar-mark" style={{ left: `${clamp(mark)}%` }} />}
  </span>
);

const clamp = (share: number): number => Math.min(100, Math.max(0, share * 100));

/** In the reader's zone; UTC on hover and for machines. */
export const Time = ({ ms }: { readonly ms: number }) => (
  <time dateTime={new Date(ms).toISOString()} title={formatUtc(ms)}>
    {formatTime(ms)}
  </time>
);

export const Banner = ({ tone, children }: Children & { readonly tone: Tone }) => (
  <p class="banner" data-tone={tone}>
    {children}
  </p>
);

export const Stat = ({ value, name, children }: Children & { readonly value: string; readonly name: string }) => (
  <div class="stat">
    <span class="stat-value">{value}</span>
    <span class="stat-name">{name}</span>
    {children}
  </div>
);

export const Fact = ({ name, children, title }: Children & { readonly name: string; readonly title?: string }) => (
  <div title={title}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

export const Panel = ({
  id,
  title,
  aside,
  children,
}: Children & { readonly id: string; readonly title: ComponentChildren; readonly aside?: ComponentChildren }) => (
  <section class="panel" id={id} aria-labelledby={`${id}-title`}>
    <div class="panel-head">
      <h2 id={`${id}-title`}>{title}</h2>
      {aside}
    </div>
    {children}
  </section>
);

/** The same on the command line; a click takes it along. */
export const Cli = ({ id, commands }: { readonly id?: string; readonly commands: readonly string[] }) => {
  const [copied, setCopied] = useState('');
  const copy = (text: string) => {
    navigator.clipboard?.writeText(text).then(
      () => setCopied(text),
      () => undefined,
    );
  };
  return (
    <div class="cli" id={id}>
      {commands.map((text) => (
        <span class="cli-line" key={text}>
          <code>{text}</code>
          <button type="button" class="small" aria-label={`Copy: ${text}`} onClick={() => copy(text)}>
            {copied === text ? 'Copied' : 'Copy'}
          </button>
        </span>
      ))}
    </div>
  );
};

export interface Note {
  readonly text: string;
  readonly tone: Tone;
}
export const quiet: Note = { text: '', tone: 'idle' };

export const Message = ({ id, note }: { readonly id: string; readonly note: Note }) => (
  <p class="act-message" id={id} role="alert" data-tone={note.tone} hidden={note.text === ''}>
    {note.text}
  </p>
);

export const Loading = () => <p class="empty">Loading…</p>;

export const Choice = ({
  id,
  text,
  value,
  options,
  onChoose,
}: {
  id: string;
  text: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChoose: (value: string) => void;
}) => (
  <label class="quiet">
    {text}{' '}
    <select id={id} value={value} onChange={(e) => onChoose(e.currentTarget.value)}>
      {options.map(([key, words]) => (
        <option key={key} value={key}>
          {words}
        </option>
      ))}
    </select>
  </label>
);
