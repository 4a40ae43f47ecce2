const KEY_BYTES = 16;

/** `crypto.randomUUID` is not there on a page that came over plain http from another machine; this is. */
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * The Idempotency-Key of each change: the same for as long as nobody knows whether it was done, so that whoever presses again after an
 * answer that got lost does not do it twice; a new one once there was an answer.
 */
export class OnceKeys {
  private readonly open = new Map<string, string>();

  constructor(private readonly make: () => string = newKey) {}

  of(where: string, body: object): string {
    const id = idOf(where, body);
    const key = this.open.get(id) ?? this.make();
    this.open.set(id, key);
    return key;
  }

  answered(where: string, body: object): void {
    this.open.delete(idOf(where, body));
  }
}

const idOf = (where: string, body: object): string => `${where} ${JSON.stringify(body)}`;
