import type { Answer, RunningApi } from './running-api.js';
import { faultsOf } from './shape-check.js';

/** The API's own description of itself, to hold its answers against. */
export interface DescribedApi {
  readonly document: Description;
  /** What an answer holds that its route's description does not tell, or lacks that it promises. */
  faults(method: string, path: string, answer: Answer): readonly string[];
}

type Content = Readonly<Record<string, { readonly schema: Readonly<Record<string, unknown>> }>>;

export interface Description {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: { readonly Refused: { readonly content: Content } } };
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly object[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description: string;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly $ref?: string }>>;
}

export async function describedApi({ ask }: RunningApi): Promise<DescribedApi> {
  const document = (await ask('GET', '/v1.1/openapi.json')).body as unknown as Description;
  const faults: DescribedApi['faults'] = (method, path, { status, headers, text }) => {
    const type = headers.get('content-type')?.split(';')[0] ?? '';
    const { responses } = document.paths[braced(path)]![method.toLowerCase()]!;
    const content = (responses[status] ?? document.components.responses.Refused).content;
    const shape = content?.[type]?.schema;
    if (shape === undefined) return [`${status} with ${type} is not described`];
    if (type === 'application/json') return faultsOf(JSON.parse(text), shape, document);
    const lines = type === 'application/x-ndjson' ? text.split('\n').filter((line) => line !== '') : [];
    return lines.flatMap((line) => faultsOf(JSON.parse(line), shape['contentSchema'] as typeof shape, document));
  };
  return { document, faults };
}

/** `:name` of our routes as `{name}` of the description. */
export const braced = (path: string): string => path.replaceAll(/:([a-z]+)/g, '{$1}');
