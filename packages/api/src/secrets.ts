import { type ConfigDocument, ReactorError } from '@reactor/core';

/**
 * What must not be shown to whoever looks at a configuration: private keys, hashes of keys, the values of environment variables. A
 * masked document can be written back: a mask stands for the value that is stored.
 */
const MASK = '***';

/** Every value that the mask replaces, by section prefix and key. */
const MASKED: readonly { readonly section: RegExp; readonly key: string; readonly mask: (value: string) => string }[] = [
  { section: /^loadbalancer:/, key: 'ssl_key', mask: maskWhole },
  { section: /^loadbalancer:/, key: 'request_headers', mask: maskWhole },
  { section: /^cloud:/, key: 'environment', mask: maskEnvironment },
  // What a key can be guessed from is guarded like the key.
  { section: /^endpoint$/, key: 'auth_hash', mask: maskWhole },
  { section: /^endpoint$/, key: 'auth_salt', mask: maskWhole },
];

function maskWhole(value: string): string {
  return value.trim() === '' ? value : MASK;
}

/** `A=1,B=2` to `A=***,B=***`. A piece without `=` may be the rest of a value that has a comma in it: masked whole. */
function maskEnvironment(value: string): string {
  if (value.trim() === '') return value;
  return environmentItems(value)
    .map(({ name }) => (name === null ? MASK : `${name}=${MASK}`))
    .join(',');
}

function environmentItems(value: string): readonly { readonly name: string | null; readonly text: string }[] {
  // A comma of a value is written with a backslash.
  return value.split(/(?<!\\),/).map((text) => ({ name: /^\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*=/.exec(text)?.[1] ?? null, text }));
}

export function maskSecrets(document: ConfigDocument): ConfigDocument {
  return mapSecrets(document, (_section, _key, value, mask) => mask(value));
}

/** Puts stored values back where a document says `***`; `config_invalid` where nothing is stored for it. */
export function unmaskSecrets(document: ConfigDocument, stored: ConfigDocument | null): ConfigDocument {
  return mapSecrets(document, (section, key, value, mask) => {
    if (!value.includes(MASK)) return value;
    const former = stored?.[section]?.[key];
    if (former !== undefined && value === mask(former)) return former;
    return unmaskItems(`${section}.${key}`, value, former ?? '');
  });
}

function unmaskItems(place: string, value: string, former: string): string {
  const known = new Map(environmentItems(former).map(({ name, text }) => [name, text]));
  return environmentItems(value)
    .map(({ name, text }) => {
      if (!text.includes(MASK)) return text;
      const item = name !== null && text.trim() === `${name}=${MASK}` ? known.get(name) : undefined;
      if (item !== undefined) return item;
      throw new ReactorError(
        'config_invalid',
        `${place}: '${MASK}' stands for a stored value, and there is none; write the value`,
      );
    })
    .join(',');
}

function mapSecrets(
  document: ConfigDocument,
  change: (section: string, key: string, value: string, mask: (value: string) => string) => string,
): ConfigDocument {
  const sections = Object.entries(document).map(([section, values]) => {
    const rules = MASKED.filter((rule) => rule.section.test(section));
    if (!rules.some((rule) => Object.hasOwn(values, rule.key))) return [section, values] as const;
    const changed = Object.entries(values).map(([key, value]) => {
      const rule = rules.find((candidate) => candidate.key === key);
      return [key, rule === undefined ? value : change(section, key, value, rule.mask)] as const;
    });
    return [section, Object.fromEntries(changed)] as const;
  });
  return Object.fromEntries(sections);
}
