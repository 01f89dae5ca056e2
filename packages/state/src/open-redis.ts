import { randomUUID } from 'node:crypto';
import { ReactorError, type StateStore } from '@reactor/core';
import { IdentityGuard, momentText, type StateIdentity } from './identity.js';
import type { CopyOptions } from './open-state.js';
import { type RecoveryOptions, recover, waitForOffers } from './recovery.js';
import { foreignAnswer, texts } from './redis-answers.js';
import { redisKeys } from './redis-keys.js';
import { RedisLink } from './redis-link.js';
import { RedisStore } from './redis-store.js';
import { parseRedisUrl } from './redis-url.js';

const FORMAT = 'reactor-state-1';
const DEFAULT_PREFIX = 'default';
/** An empty state is left empty. */
const NO_FOUNDING = '';

export interface RedisStateOptions {
  /** As `parseRedisUrl` takes it. */
  readonly url: string;
  /** Keeps clusters that share a Redis apart. */
  readonly prefix?: string;
  /** What the daemon last knew of its state, where there is no copy that says it; other contents are refused. */
  readonly known?: StateIdentity;
  /** Told once per problem, also when no call is under way. */
  readonly onProblem?: (error: ReactorError) => void;
  readonly copy?: CopyOptions;
}

/**
 * Connects to the state in Redis >= 5. With a copy it holds until the state is the one that was copied, or is restored from it or
 * another host's. Throws `config_invalid` (the URL), `state_unavailable` or `state_foreign`.
 */
export async function openRedis(options: RedisStateOptions): Promise<StateStore> {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(prefix)) {
    throw new ReactorError('config_invalid', `the prefix ${JSON.stringify(prefix)} is not 1 to 64 letters, digits and . _ -`);
  }
  const target = parseRedisUrl(options.url);
  const keys = redisKeys(prefix);
  const tell = options.copy?.tell ?? (() => undefined);
  const copy = await openCopy(options.copy);
  const link = new RedisLink(target, keys.absent, options.onProblem ?? (() => undefined));
  const recovery: RecoveryOptions = {
    link,
    keys,
    copy,
    owner: options.copy?.owner ?? 'none',
    format: FORMAT,
    tell,
    signal: new AbortController().signal,
  };
  try {
    await link.greet();
    return new RedisStore(recovery, await identify(recovery, copy?.identity ?? options.known ?? null));
  } catch (error) {
    await link.close();
    await copy?.close();
    throw error;
  }
}

/** LMDB is loaded where there is a copy only: it is a dozen megabytes. */
async function openCopy(options: CopyOptions | undefined): Promise<RecoveryOptions['copy']> {
  if (options === undefined) return null;
  const { StateCopy } = await import('./state-copy.js');
  return StateCopy.open(options.directory, (message) => options.tell('error', message), options.forget);
}

/** Finds out whether the state is the known one, and takes or founds one if none is known. */
async function identify(recovery: RecoveryOptions, known: StateIdentity | null): Promise<IdentityGuard> {
  const { link, copy } = recovery;
  const guard = new IdentityGuard(link.where, known ?? { clusterId: '', revision: 0 });
  if (known === null) {
    const there = await open(recovery, guard, NO_FOUNDING);
    if (there !== null) return there;
    if (copy !== null) await waitForOffers(recovery);
    const founded = await open(recovery, guard, randomUUID());
    if (founded !== null) return founded;
    throw new ReactorError('state_unavailable', `the cluster state at ${link.where} was emptied while it was opened`);
  }
  const isKnown = await open(recovery, guard, NO_FOUNDING).catch((error) => {
    if (copy === null || !(error instanceof ReactorError) || !isForeign(error)) throw error;
    return null;
  });
  if (isKnown !== null) return isKnown;
  await recover(recovery, guard);
  return guard;
}

/** Not a state of another format or without its identity: waiting changes nothing about those. */
function isForeign({ code, details }: ReactorError): boolean {
  return code === 'state_foreign' && details['kind'] !== undefined;
}

/** The guard of what was found; null when the state is empty and stays so. */
async function open({ link, keys }: RecoveryOptions, guard: IdentityGuard, founding: string): Promise<IdentityGuard | null> {
  const { known } = guard;
  const args = [known.clusterId, momentText(known), FORMAT, founding];
  const reply = texts(await link.run('open', [...keys.all, `${keys.wake}-probe`], args));
  const foreign = foreignAnswer(reply);
  if (foreign !== null) {
    if (known.clusterId !== '') throw guard.foreign(foreign.kind, foreign.found);
    throw new ReactorError('state_foreign', `the cluster state at ${link.where} has lost its identity; was a key evicted?`);
  }
  const [, clusterId = '', revision, mark = '', format] = reply;
  if (clusterId === '') return null;
  if (format !== FORMAT) {
    throw new ReactorError('state_foreign', `the cluster state at ${link.where} has the format ${format}, expected ${FORMAT}`);
  }
  return new IdentityGuard(link.where, { clusterId, revision: Number(revision), mark });
}
