const quote = (text: string): string => (/^[\w.:@/=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const flag = (name: string, value: string): string[] => (value === '' ? [] : [`--${name}`, quote(value)]);

/** The same act on the command line, with what has been typed so far. */
export const planCommand = (
  verb: string,
  plan: { readonly id: string; readonly digest: string } | null,
  by: { readonly actor: string; readonly reason: string },
): string =>
  [
    'cadastre plan',
    verb,
    ...(verb === 'propose' || !plan ? [] : [plan.id]),
    ...(verb === 'approve' && plan ? ['--digest', plan.digest] : []),
    ...flag('actor', by.actor),
    ...flag('reason', by.reason),
  ].join(' ');

export const command = (...parts: readonly string[]): string => ['cadastre', ...parts.map(quote)].join(' ');
