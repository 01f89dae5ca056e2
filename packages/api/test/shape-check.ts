/** What a value lacks of a JSON Schema, and what it has beyond; for the words of it that our shapes use, any other is refused. */

type Schema = Readonly<Record<string, unknown>>;

const KNOWN = new Set([
  ...['$ref', 'anyOf', 'type', 'enum', 'minimum', 'items', 'prefixItems', 'minItems', 'properties', 'required'],
  ...['additionalProperties', 'contentMediaType', 'contentSchema', 'description', 'default'],
]);

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

function isType(value: unknown, type: unknown): boolean {
  return type === 'integer' ? Number.isInteger(value) : typeOf(value) === type;
}

/** `root` is where references point into. */
export function faultsOf(value: unknown, schema: Schema, root: unknown, at = ''): readonly string[] {
  const strange = Object.keys(schema).filter((word) => !KNOWN.has(word));
  if (strange.length > 0) throw new Error(`a schema with ${strange.join(', ')}: this check does not know what that means`);
  if (typeof schema['$ref'] === 'string') return faultsOf(value, referred(schema['$ref'], root), root, at);
  const { anyOf, type, minimum, prefixItems } = schema as {
    anyOf?: Schema[];
    type?: unknown;
    minimum?: number;
    prefixItems?: Schema[];
  };
  if (anyOf !== undefined) {
    const tried = anyOf.map((each) => faultsOf(value, each, root, at));
    return tried.some((faults) => faults.length === 0) ? [] : tried.flat();
  }
  const types = type === undefined ? [] : [type].flat();
  if (types.length > 0 && !types.some((each) => isType(value, each)))
    return [`${at}: expected ${types.join(' or ')}, found ${typeOf(value)}`];
  const words = schema['enum'] as readonly unknown[] | undefined;
  if (words !== undefined && !words.includes(value))
    return [`${at}: expected one of ${words.join(', ')}, found ${String(value)}`];
  if (minimum !== undefined && (value as number) < minimum) return [`${at}: below ${minimum}`];
  if (Array.isArray(value))
    return prefixItems === undefined ? listFaults(value, schema, root, at) : tupleFaults(value, prefixItems, root, at);
  return typeOf(value) === 'object' ? recordFaults(value as Schema, schema, root, at) : [];
}

function listFaults(value: readonly unknown[], { items = {} }: Schema, root: unknown, at: string): readonly string[] {
  return value.flatMap((item, index) => faultsOf(item, items as Schema, root, `${at}/${index}`));
}

function tupleFaults(value: readonly unknown[], shapes: readonly Schema[], root: unknown, at: string): readonly string[] {
  if (value.length !== shapes.length) return [`${at}: expected ${shapes.length} members, found ${value.length}`];
  return value.flatMap((item, index) => faultsOf(item, shapes[index]!, root, `${at}/${index}`));
}

function recordFaults(value: Schema, schema: Schema, root: unknown, at: string): readonly string[] {
  const {
    properties = {},
    required = [],
    additionalProperties = !('properties' in schema),
  } = schema as {
    properties?: Readonly<Record<string, Schema>>;
    required?: readonly string[];
    additionalProperties?: boolean | Schema;
  };
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}/${name}: missing`);
  const faults = Object.entries(value).flatMap(([name, member]) => {
    const shape = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (shape === false) return [`${at}/${name}: not described`];
    return shape === true || shape === undefined ? [] : faultsOf(member, shape as Schema, root, `${at}/${name}`);
  });
  return [...missing, ...faults];
}

/** What a reference within the document points to; throws when nothing is there. */
export function referred(reference: string, root: unknown): Schema {
  let found: unknown = root;
  for (const part of reference.replace(/^#\//, '').split('/')) {
    found = (found as Readonly<Record<string, unknown>> | undefined)?.[part];
  }
  if (typeof found !== 'object' || found === null) throw new Error(`${reference} points to nothing`);
  return found as Schema;
}
