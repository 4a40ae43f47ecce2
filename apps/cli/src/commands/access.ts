import type { Command } from 'commander';
import { CadastreError, invalid, parseGrant } from '@cadastre/core';
import { askPassword } from '../access/password.js';
import { forgetToken, writeToken } from '../access/token-file.js';
import { facts, table } from '../format.js';
import type { HttpCalls } from '../http-calls.js';
import type { Context, Session } from './context.js';
import { act } from './context.js';

interface SessionJson {
  readonly access: 'open' | 'required';
  readonly user: {
    readonly subject: string;
    readonly name: string;
    readonly source: string;
    readonly roles: string[];
  } | null;
}

interface UserJson {
  readonly name: string;
  readonly roles: readonly string[];
  readonly disabled: boolean;
  readonly changedMs: number;
}

interface UserFlags {
  readonly role?: string[];
  readonly password?: boolean;
  readonly disable?: boolean;
  readonly enable?: boolean;
  readonly reason?: string;
}

const collect = (value: string, previous: string[] | undefined): string[] => [...(previous ?? []), value];

export const addAccessCommands = (program: Command, session: Session): void => {
  const login = program
    .command('login')
    .argument('[name]')
    .description('sign in; the password is asked for or read from standard input, the token kept in a file of yours');
  act(session, login, (context, [name]) => signIn(context, name ?? context.io.user));
  act(session, program.command('logout').description('end the session and forget its token'), async (context) => {
    const place = context.tokenPlace();
    if (context.token() !== undefined) await context.http().call('DELETE', '/api/v1/session');
    forgetToken(place);
    context.out.result({ user: null }, () => 'signed out\n');
  });
  act(session, program.command('whoami').description('who you are to the server'), async ({ out, http }) => {
    const found = await http().call<SessionJson>('GET', '/api/v1/session');
    out.result(found, () => sessionText(found));
  });
  addUserCommands(program, session);
};

const signIn = async (context: Context, name: string): Promise<void> => {
  const { io, out, http } = context;
  const place = context.tokenPlace();
  const password = await askPassword(io, `password of ${name}: `);
  const { token, ...found } = await http(undefined).call<SessionJson & { token: string }>('POST', '/api/v1/token', {
    name,
    password,
  });
  writeToken(place, token);
  out.result({ ...found, tokenFile: place.path }, () => sessionText(found, [['token', place.path]]));
};

const sessionText = ({ access, user }: SessionJson, more: readonly (readonly [string, string])[] = []): string => {
  if (access === 'open') return 'access is open here: everybody may do all, under the name that --actor gives\n';
  if (!user) return 'not signed in: cadastre login\n';
  return facts([['you are', `${user.name} (${user.subject})`], ['roles', user.roles.join(' ') || 'none'], ...more]);
};

const addUserCommands = (program: Command, session: Session): void => {
  const user = program.command('user').description('who may sign in with a password');
  act(session, user.command('list').description('all local users'), async ({ out, http }) => {
    const { users } = await http().call<{ users: UserJson[] }>('GET', '/api/v1/users');
    out.result(users, () =>
      users.length === 0 ? 'no users yet: cadastre user add NAME --role admin\n' : userTable(users),
    );
  });
  const add = user
    .command('add')
    .argument('<name>')
    .description('a new user; its password is asked for or read from standard input')
    .option('--role <role>', 'viewer, operator, approver or admin, or ROLE:KEYSPACE,KEYSPACE; may be repeated', collect)
    .option('--reason <text>', 'kept in the audit log');
  act<UserFlags>(session, add, (context, [name], flags) => {
    if (flags.role === undefined) throw invalid('--role', 'is missing', 'say what the user may do: --role viewer');
    return putUser(context, name!, { ...flags, password: true }, true);
  });
  const set = user
    .command('set')
    .argument('<name>')
    .description('change roles, password, or whether it may sign in; its sessions end')
    .option('--role <role>', 'in place of those it has; may be repeated', collect)
    .option('--password', 'ask for a new one, or read it from standard input')
    .option('--disable', 'no longer lets it sign in')
    .option('--enable', 'lets it sign in again')
    .option('--reason <text>', 'kept in the audit log');
  act<UserFlags>(session, set, (context, [name], flags) => putUser(context, name!, flags));
  const remove = user.command('remove').argument('<name>').description('the user and its sessions are gone');
  act(session, remove, async ({ out, http }, [name]) => {
    await http().call('DELETE', userPath(name!));
    out.result({ name, removed: true }, () => `user ${name} is gone\n`);
  });
};

const userPath = (name: string): string => `/api/v1/users/${encodeURIComponent(name)}`;

const putUser = async ({ io, out, http }: Context, name: string, flags: UserFlags, isNew = false): Promise<void> => {
  const { role, password = false, disable = false, enable = false, reason = '' } = flags;
  if (disable && enable) throw invalid('--disable', 'does not go with --enable', 'give one of the two');
  for (const text of role ?? []) parseGrant(text);
  if (role === undefined && !password && !disable && !enable)
    throw invalid('user', 'nothing is to be changed', 'give --role, --password, --disable or --enable');
  if (isNew) await refuseKnown(http(), name);
  const body = {
    ...(role && { roles: role }),
    ...(password && { password: await askPassword(io, `password for ${name}: `) }),
    ...((disable || enable) && { disabled: disable }),
    reason,
  };
  const made = await http().call<UserJson>('PUT', userPath(name), body);
  out.result(made, () => userTable([made]));
};

/** Before a password is asked for: adding one who is there would take his roles and password away. @throws CadastreError ALREADY_EXISTS */
const refuseKnown = async (http: HttpCalls, name: string): Promise<void> => {
  const { users } = await http.call<{ users: UserJson[] }>('GET', '/api/v1/users');
  if (users.every((user) => user.name !== name)) return;
  throw new CadastreError('ALREADY_EXISTS', `there is a user "${name}" already`, {
    field: 'name',
    remedy: `to change it: cadastre user set ${name} --role ROLE or --password`,
  });
};

const userTable = (users: readonly UserJson[]): string =>
  table(users, [
    { title: 'USER', value: (u) => u.name },
    { title: 'ROLES', value: (u) => u.roles.join(' ') },
    { title: 'STATE', value: (u) => (u.disabled ? 'disabled' : 'active') },
    { title: 'CHANGED', value: (u) => new Date(u.changedMs).toISOString() },
  ]);
