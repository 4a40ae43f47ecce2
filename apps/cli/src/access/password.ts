import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { invalid } from '@cadastre/core';
import type { Io } from '../io.js';

/** Asked for on a terminal without showing it, or the first line of standard input; never from the command line. */
export const askPassword = async ({ stdin, stdout, stderr }: Io, prompt: string): Promise<string> => {
  if (stdin.isTTY === true && stdout.isTTY === true) {
    stderr.write(prompt);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const asking = createInterface({ input: stdin, output: silent, terminal: true });
    const password = await asking.question('');
    asking.close();
    stderr.write('\n');
    return required(password);
  }
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > 4_096 || text.includes('\n')) break;
  }
  return required(text.split(/\r?\n/)[0] ?? '');
};

const required = (password: string): string => {
  if (password === '') throw invalid('password', 'is missing', 'type it, or give it on standard input');
  return password;
};
