import { mediaTypeOf, NUMBER, type Shape, TEXT } from './json-schema.js';
import type { Method, Route } from './route.js';
import { SHAPES, shape } from './shapes.js';

/** The description of the API in the form of OpenAPI 3.1, made of the route table. Pure. */

interface Parameter {
  readonly description: string;
  readonly schema: Shape;
}

const FLAG = { type: 'string', enum: ['0', '1'], default: '0' };

/** What each parameter means, wherever it stands. */
const PARAMETERS: Readonly<Record<string, Parameter>> = {
  endpoint: { description: 'Name of an endpoint', schema: TEXT },
  instance: { description: 'Id of an instance', schema: TEXT },
  backend: { description: 'Id of an instance, address:port, or an address that only one has', schema: TEXT },
  session: { description: "The client's address:port", schema: TEXT },
  key: { description: 'Key of a note', schema: TEXT },
  host: { description: 'Name of a host', schema: TEXT },
  manager: { description: "Name of a manager, which is its host's", schema: TEXT },

  detail: { description: '1 answers a row of details each', schema: FLAG },
  format: { description: 'Of the configuration', schema: { type: 'string', enum: ['json', 'ini'], default: 'json' } },
  secrets: { description: '1 shows values that are masked otherwise', schema: FLAG },
  level: { description: 'info, warning or error; 0, 1 or 2 as in 2013', schema: { type: 'string', default: 'info' } },
  since: {
    description: 'From this moment on: Unix seconds with fractions for logs and output, milliseconds for what is recorded',
    schema: NUMBER,
  },
  until: { description: 'Up to this moment, Unix milliseconds; now unless given', schema: { type: 'integer' } },
  points: { description: 'At most so many (default 300)', schema: { type: 'integer' } },
  at: { description: 'The moment, in Unix milliseconds; without it, now', schema: NUMBER },
  after: { description: 'Only entries with a higher number', schema: { type: 'integer' } },
  limit: { description: 'At most the newest so many', schema: { type: 'integer' } },
  tail: { description: 'At most the newest so many lines of what is there already', schema: { type: 'integer' } },
  follow: { description: '1 goes on with what comes, a JSON value a line', schema: FLAG },
  local: { description: '1 asks no other host', schema: FLAG },
};

const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  description: 'The revision to be changed, as ETag and `revision` tell it, or *; 412 when it is not the current one',
  schema: TEXT,
};

/** Which key opens it; what the document itself says, the API's, where nothing is said here. */
function security({ open, caller }: Route): { readonly security?: readonly object[] } {
  if (open) return { security: [] };
  if (caller === 'token') return { security: [{ token: [] }] };
  if (caller === 'token and key')
    return {
      security: [
        { token: [], key: [] },
        { token: [], bearer: [] },
      ],
    };
  return {};
}

const content = (shapes: readonly Shape[]): object =>
  Object.fromEntries(shapes.map((each) => [mediaTypeOf(each), { schema: each }]));

function parameters(path: string, { query, revision }: Route): readonly object[] {
  const inPath = namesIn(path).map((name) => ({ name, in: 'path', required: true, ...PARAMETERS[name] }));
  const inQuery = query.map((name) => ({ name, in: 'query', ...PARAMETERS[name] }));
  return [...inPath, ...inQuery, ...(revision === 'asked' ? [IF_MATCH] : [])];
}

const namesIn = (path: string): readonly string[] => [...path.matchAll(/:([a-z]+)/g)].map(([, name]) => name!);

/** `getEndpointsByEndpointState`; of the paths of 1.0 with `V10` behind it. */
function operationId(method: Method, path: string): string {
  const [, version = '', rest = ''] = /^(?:\/(v1\.[01]))?(.*)$/.exec(path) ?? [];
  const words = rest.split(/[/._]/).map((part) => (part.startsWith(':') ? `By${capital(part.slice(1))}` : capital(part)));
  return `${method.toLowerCase()}${words.join('') || 'Root'}${version === 'v1.0' ? 'V10' : ''}`;
}

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

function operation(method: Method, path: string, route: Route): object {
  const { summary, takes, gives, keeper, revision, statuses } = route;
  const answered = {
    description: 'Done',
    ...(revision === null ? {} : { headers: { ETag: { schema: TEXT, description: 'The revision' } } }),
    content: content(gives),
  };
  const own = keeper === null || route.caller !== undefined ? {} : { description: "The endpoint's own key is enough." };
  return {
    operationId: operationId(method, path),
    summary,
    ...own,
    ...(path.startsWith('/v1.0') ? { deprecated: true } : {}),
    ...security(route),
    parameters: parameters(path, route),
    ...(takes.length === 0 ? {} : { requestBody: { required: true, content: content(takes) } }),
    responses: {
      ...Object.fromEntries(statuses.map((status) => [status, answered])),
      ...(revision === 'asked' ? { 412: { $ref: '#/components/responses/Refused' } } : {}),
      default: { $ref: '#/components/responses/Refused' },
    },
  };
}

/** Of every path with its routes by method, and nothing else. */
export function describeApi(paths: ReadonlyMap<string, ReadonlyMap<Method, Route>>, version: string): object {
  const described = [...paths].map(([path, routes]) => {
    const operations = [...routes].map(([method, route]) => [method.toLowerCase(), operation(method, path, route)] as const);
    return [path.replaceAll(/:([a-z]+)/g, '{$1}'), Object.fromEntries(operations)] as const;
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Reactor',
      version,
      summary: 'Autoscaling for plain Docker hosts',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ key: [] }, { bearer: [] }],
    paths: Object.fromEntries(described),
    components: {
      schemas: SHAPES,
      responses: {
        Refused: { description: 'Why not; nothing has changed', content: content([shape('Error')]) },
      },
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-Auth-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'header', name: 'X-Reactor-Token', description: "An instance's own" },
      },
    },
  };
}
