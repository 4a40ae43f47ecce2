import { useState } from 'preact/hooks';
import { get, path } from '../model/api.js';
import type { Located } from '../model/api.types.js';
import { command } from '../model/cli.js';
import { formatGeneration } from '../model/format.js';
import { link } from '../model/route.js';
import { world } from '../model/store.js';
import { ReplicaTable } from '../ui/partition-view.js';
import { Banner, Cli, Fact, Panel } from '../ui/parts.js';

interface Answer {
  readonly found?: Located;
  readonly error?: string;
}

const Found = ({ found }: { readonly found: Located }) => (
  <div id="lookup-found">
    <p class="answer">
      The key lies in{' '}
      <a href={`${link('keyspaces', found.keyspace)}?partition=${found.partition}`}>
        partition {found.partition} of {found.keyspace}
      </a>
      .
    </p>
    <dl class="meta">
      <Fact name="scheme">{found.scheme}</Fact>
      <Fact name="key in hex">
        <span class="mono">{found.keyHex || '(empty)'}</span>
      </Fact>
      <Fact name="token">
        <span class="mono" id="lookup-token">
          {found.token}
        </span>
      </Fact>
      <Fact name="the partition holds">{found.ranges.join(', ')}</Fact>
      <Fact name="generation">{formatGeneration(found.generation)}</Fact>
    </dl>
    <ReplicaTable keyspace={found.keyspace} partition={found.partition} replicas={found.replicas} />
  </div>
);

/** Where does this key live, and why. */
export const Lookup = () => {
  const names = world.value?.status.keyspaces.map((k) => k.spec.name) ?? [];
  const [chosen, setKeyspace] = useState('');
  const [key, setKey] = useState('');
  const [encoding, setEncoding] = useState('utf8');
  const [answer, setAnswer] = useState<Answer>({});
  const keyspace = names.includes(chosen) ? chosen : (names[0] ?? '');
  const look = async (event: Event) => {
    event.preventDefault();
    try {
      setAnswer({
        found: await get<Located>(`${path`/api/v1/keyspaces/${keyspace}/locate?key=${key}`}&encoding=${encoding}`),
      });
    } catch (error) {
      setAnswer({ error: (error as Error).message });
    }
  };
  if (names.length === 0)
    return (
      <Panel id="lookup" title="Where does a key live?">
        <p class="empty">There is no keyspace yet.</p>
      </Panel>
    );
  return (
    <Panel id="lookup" title="Where does a key live?">
      <form class="row" onSubmit={look}>
        <label>
          Keyspace{' '}
          <select id="lookup-keyspace" value={keyspace} onChange={(e) => setKeyspace(e.currentTarget.value)}>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Key{' '}
          <input
            id="lookup-key"
            value={key}
            spellcheck={false}
            autocomplete="off"
            onInput={(e) => setKey(e.currentTarget.value)}
          />
        </label>
        <label>
          given as{' '}
          <select value={encoding} onChange={(e) => setEncoding(e.currentTarget.value)}>
            <option value="utf8">text</option>
            <option value="base64">base64</option>
          </select>
        </label>
        <button class="primary" type="submit">
          Find
        </button>
      </form>
      {answer.error && <Banner tone="bad">{answer.error}</Banner>}
      {answer.found && <Found found={answer.found} />}
      <Cli commands={[command('locate', keyspace, key || 'KEY')]} />
    </Panel>
  );
};
