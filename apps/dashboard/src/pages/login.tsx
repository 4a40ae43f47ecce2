import { useState } from 'preact/hooks';
import { signIn } from '../model/acts.js';
import { leave } from '../model/journey.js';
import { session } from '../model/store.js';
import { Cli, Message, type Note, quiet } from '../ui/parts.js';

export const Login = () => {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [note, setNote] = useState<Note>(quiet);
  const providers = session.value?.providers ?? [];
  const submit = async (event: Event) => {
    event.preventDefault();
    setNote(quiet);
    try {
      await signIn(name, password);
    } catch (error) {
      setNote({ text: (error as Error).message, tone: 'bad' });
    }
  };
  return (
    <section class="panel login" aria-labelledby="login-title">
      <h1 id="login-title">Sign in</h1>
      <form onSubmit={submit}>
        <label>
          Name{' '}
          <input
            id="login-name"
            autocomplete="username"
            required
            maxLength={63}
            value={name}
            onInput={(e) => setName(e.currentTarget.value)}
          />
        </label>
        <label>
          Password{' '}
          <input
            id="login-password"
            type="password"
            autocomplete="current-password"
            required
            maxLength={256}
            value={password}
            onInput={(e) => setPassword(e.currentTarget.value)}
          />
        </label>
        <Message id="login-message" note={note} />
        <div class="buttons">
          <button class="primary" type="submit">
            Sign in
          </button>
          {providers.includes('oidc') && (
            <a id="login-oidc" href="/auth/oidc/login" onClick={() => leave()}>
              Sign in with your identity provider
            </a>
          )}
        </div>
      </form>
      <Cli commands={['cadastre login']} />
    </section>
  );
};
