import { StringDecoder } from 'node:string_decoder';
import type { Chunks } from './record.js';

/** Lines of UTF-8 text without their ends (LF or CRLF), across chunks that may cut a character in two. */
export async function* linesOf(chunks: Chunks): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + (typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk)))).split('\n');
    rest = parts.pop()!;
    for (const line of parts) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
}
