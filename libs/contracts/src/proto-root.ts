import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packed = fileURLToPath(new URL('../proto', import.meta.url));

/** Where the contract's files are: in the package itself when it was packed, else at the top of the checkout. */
export const PROTO_ROOT = existsSync(packed) ? packed : fileURLToPath(new URL('../../../proto', import.meta.url));
