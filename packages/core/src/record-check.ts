/** Checks of what should be a record: each answers null, or in one line where it is not. Extra members are a newer version's, and fine. */
export type Check = (value: unknown) => string | null;

const expected =
  (what: string, fits: (value: unknown) => boolean): Check =>
  (value) =>
    fits(value) ? null : `expected ${what}`;

export const text = expected('a text', (value) => typeof value === 'string');
export const number = expected('a number', (value) => typeof value === 'number' && Number.isFinite(value));
export const flag = expected('true or false', (value) => typeof value === 'boolean');
export const anything: Check = () => null;

export const oneOf = (...words: readonly unknown[]): Check =>
  expected(`one of ${words.join(', ')}`, (value) => words.includes(value));

export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);

export const listOf =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return 'expected a list';
    for (const [index, item] of value.entries()) {
      const fault = check(item);
      if (fault !== null) return within(String(index), fault);
    }
    return null;
  };

export const tupleOf =
  (...checks: readonly Check[]): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length !== checks.length) return `expected a list of ${checks.length}`;
    for (const [index, check] of checks.entries()) {
      const fault = check(value[index]);
      if (fault !== null) return within(String(index), fault);
    }
    return null;
  };

export const mapOf =
  (check: Check): Check =>
  (value) => {
    if (!isObject(value)) return 'expected an object';
    for (const key of Object.keys(value)) {
      const fault = check(value[key]);
      if (fault !== null) return within(key, fault);
    }
    return null;
  };

/** What every member of a record of type T has to be; those that may be absent are checked when they are there. */
export type Members<T> = { readonly [K in keyof T]-?: Check };
/** Of something else that is repeated, so that an alarm stays a line. */
const FOUND_LENGTH = 60;

type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

export function recordOf<T>(members: Members<T>, ...optional: readonly Optional<T>[]): Check {
  const parts = Object.entries<Check>(members).map(([name, check]) => ({
    name,
    check: optional.includes(name as Optional<T>) ? (value: unknown) => (value === undefined ? null : check(value)) : check,
  }));
  return (value) => {
    if (!isObject(value)) return `expected an object, found ${(JSON.stringify(value) ?? 'nothing').slice(0, FOUND_LENGTH)}`;
    for (const { name, check } of parts) {
      const fault = check(value[name]);
      if (fault !== null) return within(name, fault);
    }
    return null;
  };
}

const within = (name: string, fault: string): string => (fault.startsWith('expected') ? `${name}: ${fault}` : `${name}.${fault}`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
