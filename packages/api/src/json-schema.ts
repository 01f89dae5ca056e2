/** JSON Schemas as OpenAPI 3.1 takes them, in as few words as they need. An object may hold more members than its shape names. */
export type Shape = Readonly<Record<string, unknown>>;

export const ANY: Shape = {};
export const TEXT = { type: 'string' };
export const NUMBER = { type: 'number' };
export const COUNT = { type: 'integer', minimum: 0 };
export const FLAG = { type: 'boolean' };
/** Milliseconds, since the epoch or as a duration. */
export const MS = { type: 'number' };

export const list = (items: Shape): Shape => ({ type: 'array', items });
export const map = (values: Shape): Shape => ({ type: 'object', additionalProperties: values });
export const word = (...words: readonly string[]): Shape => ({ type: 'string', enum: words });
export const orNull = (shape: Shape): Shape => ({ anyOf: [shape, { type: 'null' }] });
export const tuple = (...items: readonly Shape[]): Shape => ({ type: 'array', prefixItems: items, minItems: items.length });

export const record = (members: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape => ({
  type: 'object',
  properties: { ...members, ...optional },
  required: Object.keys(members),
});

/** A record whose members are not all told here. */
export const open = (members: Readonly<Record<string, Shape>>): Shape => ({ ...record(members), additionalProperties: true });

/** Text instead of JSON. */
export const textOf = (type: string): Shape => ({ type: 'string', contentMediaType: type });
/** A JSON value a line. */
export const lines = (shape: Shape): Shape => ({ ...textOf('application/x-ndjson'), contentSchema: shape });
/** Of the body it describes. */
export const mediaTypeOf = (shape: Shape): string => (shape['contentMediaType'] as string | undefined) ?? 'application/json';
