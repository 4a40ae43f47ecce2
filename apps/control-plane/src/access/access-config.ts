import { readFile } from 'node:fs/promises';
import { CadastreError, parseGrant } from '@cadastre/core';
import { z } from 'zod';

/** Signatures by a public key only: with a shared secret whoever can check a token can make one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const;

const grant = z.string().transform((text, context) => {
  try {
    return parseGrant(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const isSafeUrl = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (
    url?.protocol === 'https:' || (url?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  );
};
const httpsUrl = z.string().refine(isSafeUrl, 'must be an https URL (http only on this machine)');

/** Which of the provider's words give which role: `{"dba": ["approver"], "dev": ["viewer", "operator:staging"]}`. */
const roles = z.record(z.string(), z.array(grant)).refine((map) => Object.keys(map).length > 0, 'must name some');
const rolesClaim = z.string().min(1).default('roles');

const oidc = z.strictObject({
  issuer: httpsUrl,
  clientId: z.string().min(1),
  /** A file, so that the secret is in no command line, environment or log. */
  clientSecretFile: z.string().min(1).optional(),
  /** As the browser sees it, `https://HOST/auth/oidc/callback`. */
  redirectUri: httpsUrl,
  scope: z.string().default('openid profile'),
  rolesClaim,
  roles,
});

const jwt = z.strictObject({
  issuer: z.string().min(1),
  audience: z.string().min(1),
  /** The issuer's public keys: a URL, or a file. */
  jwks: z
    .string()
    .min(1)
    .refine((place) => !/^http:/i.test(place) || isSafeUrl(place), 'must come over https (http only on this machine)'),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'ES256', 'EdDSA']),
  rolesClaim,
  roles,
});

export const accessSchema = z.strictObject({
  sessionHours: z.number().positive().max(24).default(8),
  /** To approve, who signed in longer ago has to prove it again. */
  proveAgainMinutes: z.number().positive().max(480).default(5),
  /** A file with one token of at least 32 characters that may do all: for the first user, and for emergencies. */
  bootstrapTokenFile: z.string().min(1).optional(),
  oidc: oidc.optional(),
  jwt: jwt.optional(),
  /** What the holders of certificates with role operator may do without a token, by their names: `{"deploy": ["operator"]}`. */
  certificates: z.record(z.string(), z.array(grant)).default({}),
});

export type AccessConfig = z.output<typeof accessSchema>;
export type OidcConfig = z.output<typeof oidc>;
export type JwtConfig = z.output<typeof jwt>;

/** @throws CadastreError INVALID_ARGUMENT with one line that names the file and the field */
export const parseAccessConfig = (text: string, file: string): AccessConfig => {
  const wrong = (what: string): CadastreError =>
    new CadastreError('INVALID_ARGUMENT', `${file}: ${what}`, {
      field: '--access-file',
      remedy: 'correct it as docs/operations.md says',
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong('is no JSON');
  }
  const parsed = accessSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw wrong(`${path.join('.')} ${message}`.trim());
};

export const readAccessConfig = async (file: string): Promise<AccessConfig> =>
  parseAccessConfig(await readSecretFile(file, '--access-file'), file);

/** @throws CadastreError INVALID_ARGUMENT without a word of the content */
export const readSecretFile = async (file: string, field: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CadastreError('INVALID_ARGUMENT', `cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, {
      field,
      remedy: 'give a file that this process may read',
    });
  }
};
