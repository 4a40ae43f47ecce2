import { expect } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { Ended } from '@cadastre/testkit';

/** What a refusal must say, on every surface alike. */
export interface Expected {
  readonly code: string;
  readonly field: string;
  /** A part of the remedy that shows that it is the one for this case. */
  readonly remedy: RegExp;
}

export const refused = (code: string, field: string, remedy: RegExp): Expected => ({ code, field, remedy });

interface Said {
  readonly code?: unknown;
  readonly field?: unknown;
  readonly remedy?: unknown;
  readonly message?: unknown;
}

const judge = (said: Said, { code, field, remedy }: Expected): void => {
  expect({ ...said, remedy: String(said.remedy) }).toMatchObject({
    code,
    field,
    remedy: expect.stringMatching(remedy),
  });
  expect(String(said.message).length).toBeGreaterThan(10);
};

/** A call through a client of ours, or one that throws before it is sent. */
export const expectRefused = async (call: () => unknown, expected: Expected): Promise<CadastreError> => {
  const thrown = await (async () => call())().then(
    (reply: unknown) => new Error(`was not refused: ${JSON.stringify(reply)}`),
    (error: unknown) => error,
  );
  if (!(thrown instanceof CadastreError)) throw thrown;
  judge({ code: thrown.code, field: thrown.field, remedy: thrown.remedy, message: thrown.message }, expected);
  return thrown;
};

/** A reply as application/problem+json. */
export const expectProblem = async (reply: Response, status: number, expected: Expected): Promise<void> => {
  expect(reply.headers.get('content-type')).toContain('application/problem+json');
  const problem = (await reply.json()) as Record<string, unknown>;
  judge({ ...problem, field: problem['field'] ?? '', message: problem['detail'] }, expected);
  expect([reply.status, problem['status']]).toEqual([status, status]);
};

/** A command: exit code 1, nothing on stdout, one JSON document on stderr. */
export const expectExit = ({ code, stdout, stderr }: Ended, expected: Expected): void => {
  expect([code, stdout]).toEqual([1, '']);
  judge((JSON.parse(stderr) as { error: Said }).error, expected);
};

/** A server process that ends at once: exit code 1 and one line for people on stderr. */
export const expectLine = ({ code, stderr }: Ended, ...words: (string | RegExp)[]): void => {
  expect([code, stderr.trim().split('\n').length]).toEqual([1, 1]);
  for (const word of words) expect(stderr).toMatch(word);
};
