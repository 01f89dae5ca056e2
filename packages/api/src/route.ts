import type { Cluster } from '@reactor/core';
import type { Caller } from './caller.js';
import type { ApiContext } from './context.js';
import type { IfMatch } from './if-match.js';
import type { Shape } from './json-schema.js';
import { shape } from './shapes.js';

/** What a handler is given: everything already read, bounded and checked for form; it answers a value and sends nothing itself. */
export interface RouteRequest {
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Only the parameters the route lists, each at most once. */
  readonly query: ReadonlyMap<string, string>;
  readonly body: Body;
  /** The instance that asks, where it is known by its token; null where the path names the endpoint. */
  readonly caller: Caller | null;
  readonly ifMatch: IfMatch;
  /** The headers the caller showed its key with; never kept, only shown to the daemons of other hosts. */
  readonly keyHeaders: Readonly<Record<string, string>>;
  readonly browser: Browser;
  /** Aborts when the client goes away, its login ends or the server closes. */
  readonly signal: AbortSignal;
}

/** What a handler may do about the cookie of whoever asks. */
export interface Browser {
  /** The cookie that stands for the key from now on; null where no key is set. Throws what a wrong key is answered with. */
  logIn(key: string): Promise<string | null>;
  /** The cookie that takes its own away. */
  logOut(): string;
  standing(): Promise<{ readonly keyNeeded: boolean; readonly loggedIn: boolean }>;
}

export interface Body {
  readonly bytes: Buffer;
  /** The media type in lower case without parameters; null when the header is absent. */
  readonly type: string | null;
}

export type Reply =
  | {
      readonly kind: 'json';
      readonly status?: number;
      readonly body: unknown;
      readonly revision?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'text';
      readonly type: string;
      readonly body: string;
      readonly revision?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'lines'; readonly lines: AsyncIterable<string>; readonly type?: string };

export const json = (body: unknown, revision?: number): Extract<Reply, { kind: 'json' }> => ({
  kind: 'json',
  body,
  ...(revision === undefined ? {} : { revision }),
});

export type Keeper = (params: RouteRequest['params'], cluster: Cluster) => string | null;

/** The endpoint of the path. */
export const ENDPOINT_OF_PATH: Keeper = ({ endpoint }) => endpoint ?? null;

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
export type ApiVersion = 'v1.0' | 'v1.1';

export interface Route {
  readonly methods: readonly Method[];
  /** Below the version prefix; `:name` is a parameter. */
  readonly path: string;
  /** Under which prefixes it answers; none is the bare path. */
  readonly versions: readonly ApiVersion[];
  /** Open routes answer without a key and tell nothing about the cluster's contents. */
  readonly open: boolean;
  /** Whether a request that is no GET may be judged by the last view of the settings while the state is away. */
  readonly fromLastView: boolean;
  /** The endpoint whose own key is let in besides the admin's; null where there is none. */
  readonly keeper: Keeper | null;
  /** Query parameters it takes; any other one is refused by name. What each means is in openapi.ts. */
  readonly query: readonly string[];
  /** What it is for, for its description. */
  readonly summary: string;
  /** What its body may be, and what its answer may be; each JSON unless the shape names another media type. */
  readonly takes: readonly Shape[];
  readonly gives: readonly Shape[];
  /** Whether the answer carries the revision, and whether the request may ask for one with If-Match. */
  readonly revision: 'shown' | 'asked' | null;
  /** Those of an answer; of a refusal they are in the table of errors. */
  readonly statuses: readonly number[];
  readonly answer: (request: RouteRequest, context: ApiContext) => Promise<Reply>;
  /** Set where the endpoint is that of the instance which asks: for its token alone, or for the key as well. */
  readonly caller?: 'token' | 'token and key';
}

/** In 2013 too. */
export const BOTH: readonly ApiVersion[] = ['v1.0', 'v1.1'];
export const NEW: readonly ApiVersion[] = ['v1.1'];

interface Options {
  readonly summary: string;
  /** Without it the route takes no body. */
  readonly takes?: Shape | readonly Shape[];
  /** Without it the route answers `{}`. */
  readonly gives?: Shape | readonly Shape[];
  readonly revision?: 'shown' | 'asked';
  readonly statuses?: readonly number[];
  readonly versions?: readonly ApiVersion[];
  readonly query?: readonly string[];
  readonly open?: boolean;
  readonly fromLastView?: boolean;
  readonly keeper?: Keeper;
}

/** One row of the route table; under /v1.1 only and for the key's holder unless the options say otherwise. */
export function route(methods: Method | readonly Method[], path: string, answer: Route['answer'], options: Options): Route {
  const { summary, takes = [], gives = shape('Nothing') } = options;
  return {
    methods: listOf(methods),
    path,
    versions: options.versions ?? NEW,
    open: options.open ?? false,
    fromLastView: options.fromLastView ?? false,
    keeper: options.keeper ?? null,
    query: options.query ?? [],
    summary,
    takes: listOf(takes),
    gives: listOf(gives),
    revision: options.revision ?? null,
    statuses: options.statuses ?? [200],
    answer,
  };
}

function listOf<T extends string | Shape>(given: T | readonly T[]): readonly T[] {
  return Array.isArray(given) ? given : [given as T];
}
