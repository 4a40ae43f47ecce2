import { invalid, printable } from '@cadastre/core';
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import type { z } from 'zod';

const remedyOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys' ? 'leave it out, or correct its spelling' : 'correct it as /api/openapi.json says';

/** @throws CadastreError INVALID_ARGUMENT naming the first field that is wrong */
export const check = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data as z.output<Schema>;
  const issue = parsed.error.issues[0]!;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  const field = path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
  throw invalid(
    printable(field || 'body'),
    issue.code === 'unrecognized_keys' ? 'is unknown here' : issue.message,
    remedyOf(issue),
  );
};

/** Checks a body or a query against its schema. */
export class CheckPipe<Schema extends z.ZodType> implements PipeTransform<unknown, z.output<Schema>> {
  constructor(private readonly schema: Schema) {}

  transform(value: unknown, _metadata: ArgumentMetadata): z.output<Schema> {
    return check(this.schema, value);
  }
}
