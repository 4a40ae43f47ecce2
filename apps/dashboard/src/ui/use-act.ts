import { useRef, useState } from 'preact/hooks';
import { Refusal } from '../model/api.js';
import { actor, isOpenAccess } from '../model/store.js';
import { type Note, quiet } from './parts.js';

const WHO: Note = {
  text: 'Say who you are first: the field at the top right. It is kept in the audit log.',
  tone: 'warn',
};

/** One act at a time, with what came of it beside its button. */
export const useAct = () => {
  const [note, setNote] = useState<Note>(quiet);
  const [refusal, setRefusal] = useState<Refusal | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const run = async (task: () => Promise<string>): Promise<void> => {
    if (running.current) return;
    if (isOpenAccess.value && actor.value.trim() === '') {
      setNote(WHO);
      document.getElementById('actor')?.focus();
      return;
    }
    running.current = true;
    setBusy(true);
    setNote(quiet);
    setRefusal(undefined);
    try {
      setNote({ text: await task(), tone: 'idle' });
    } catch (error) {
      setNote({ text: (error as Error).message, tone: 'bad' });
      if (error instanceof Refusal) setRefusal(error);
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { note, setNote, refusal, busy, run };
};
