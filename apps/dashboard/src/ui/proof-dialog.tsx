import { useEffect, useRef, useState } from 'preact/hooks';
import { prove } from '../model/acts.js';
import { leave } from '../model/journey.js';
import { proofAsked, session } from '../model/store.js';
import { Message, type Note, quiet } from './parts.js';

const OIDC = '/auth/oidc/login?again=1';

/** What lets data move or gives power away asks again who it is, where the page stands; then it goes on. */
export const ProofDialog = () => {
  const dialog = useRef<HTMLDialogElement>(null);
  const [password, setPassword] = useState('');
  const [note, setNote] = useState<Note>(quiet);
  const asked = proofAsked.value;
  useEffect(() => {
    if (asked) dialog.current?.showModal();
    else dialog.current?.close();
    setPassword('');
    setNote(quiet);
  }, [asked]);
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await prove(password);
      asked?.resolve();
    } catch (error) {
      setNote({ text: (error as Error).message, tone: 'bad' });
    }
  };
  const giveUp = () => asked?.reject(new Error('not done: the proof of who you are was not given'));
  const byProvider = session.value?.user?.source === 'oidc';
  return (
    <dialog class="proof" ref={dialog} onCancel={giveUp} aria-labelledby="proof-title">
      <form onSubmit={submit}>
        <h2 id="proof-title">Is it still you?</h2>
        <p>
          This lets data move, or changes who may.{' '}
          {byProvider
            ? 'Your identity provider asks again who you are and sends you back to this very page, with the reason that you gave. Nothing is done until you press the button there.'
            : 'Prove again who you are; then exactly what is on your screen goes on.'}
        </p>
        {byProvider ? (
          <p>
            <a id="proof-oidc" href={OIDC} onClick={() => leave(asked?.reason)}>
              Prove it at your identity provider
            </a>
          </p>
        ) : (
          <label>
            Password of {session.value?.user?.name}{' '}
            <input
              id="proof-password"
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(e) => setPassword(e.currentTarget.value)}
            />
          </label>
        )}
        <Message id="proof-message" note={note} />
        <div class="buttons">
          {!byProvider && (
            <button class="primary" type="submit">
              Prove and go on
            </button>
          )}
          <button type="button" onClick={giveUp}>
            Not now
          </button>
        </div>
      </form>
    </dialog>
  );
};
