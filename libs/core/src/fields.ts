import { invalid } from './errors.js';
import { printable } from './limits.js';

/**
 * A value of a JSON document with the path that leads to it. Every method checks what it reads and throws INVALID_ARGUMENT that names
 * the path, such as `keyspaces[0].partitions[3].replicas[1]`.
 */
export class Field {
  constructor(
    readonly value: unknown,
    readonly path: string,
  ) {}

  get isThere(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** A member of an object; the others are checked by `only`. */
  at(name: string): Field {
    return new Field((this.value as Record<string, unknown>)[name], this.path === '' ? name : `${this.path}.${name}`);
  }

  /** @throws when this is no object, or has a member that is not among `names` (checked so that a misspelt one is not passed over) */
  object(names: readonly string[]): this {
    const value = this.record();
    const stranger = Object.keys(value).find((key) => !names.includes(key));
    if (stranger !== undefined)
      throw this.at(printable(stranger)).bad('is unknown here', `leave it out, or use one of ${names.join(', ')}`);
    return this;
  }

  /** Members of an object whose names are free, in the order of the document. */
  entries(): [string, Field][] {
    return Object.keys(this.record()).map((name) => [name, this.at(name)]);
  }

  list(most = Infinity): Field[] {
    if (!Array.isArray(this.value)) throw this.bad('is no list', 'give a JSON array');
    if (this.value.length > most)
      throw this.bad(`has ${this.value.length} entries`, 'make the list shorter', `${most} entries`);
    return this.value.map((each: unknown, i) => new Field(each, `${this.path}[${i}]`));
  }

  text(most = 256): string {
    if (typeof this.value !== 'string' || this.value === '')
      throw this.bad('is no text', 'give a string that is not empty');
    if (this.value.length > most)
      throw this.bad(`has ${this.value.length} characters`, 'make it shorter', `${most} characters`);
    return this.value;
  }

  oneOf<T extends string>(words: readonly T[]): T {
    const word = words.find((each) => each === this.value);
    if (word === undefined) throw this.bad(`${this.shown()} is unknown`, `use one of ${words.join(', ')}`);
    return word;
  }

  flag(): boolean {
    if (typeof this.value !== 'boolean')
      throw this.bad(`${this.shown()} is neither true nor false`, 'use true or false');
    return this.value;
  }

  /** A finite number from 0. */
  amount(): number {
    return this.number(0, Number.MAX_VALUE, 'at least 0');
  }

  within(least: number, most: number): number {
    return this.number(least, most, `${least} to ${most}`);
  }

  aboveZero(remedy: string): number {
    const value = this.finite();
    if (value <= 0) throw this.bad(`${value} is not above 0`, remedy, 'above 0');
    return value;
  }

  count(least: number, most: number): number {
    const value = this.number(least, most, `${least} to ${most}`);
    if (!Number.isInteger(value))
      throw this.bad(`${value} is no whole number`, 'give a whole number', `${least} to ${most}`);
    return value;
  }

  bad(what: string, remedy: string, limit?: string): Error {
    return invalid(this.path === '' ? 'document' : this.path, what, remedy, limit);
  }

  private record(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      throw this.bad('is no object', 'give a JSON object');
    return this.value as Record<string, unknown>;
  }

  private number(least: number, most: number, limit: string): number {
    const value = this.finite();
    if (value < least || value > most) throw this.bad(`${value} is out of range`, `give ${limit}`, limit);
    return value;
  }

  private finite(): number {
    if (typeof this.value !== 'number' || !Number.isFinite(this.value))
      throw this.bad(`${this.shown()} is no finite number`, 'give a number, without quotes');
    return this.value;
  }

  private shown(): string {
    const { value } = this;
    if (typeof value === 'object') return value === null ? 'null' : 'an object';
    return `"${printable(String(value))}"`;
  }
}
