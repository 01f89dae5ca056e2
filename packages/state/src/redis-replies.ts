import { describeError, ReactorError } from '@reactor/core';

/** Every right Reactor needs and none besides, on its own keys only; for `ACL SETUSER`. */
export const ACL_RULE = [
  '~{reactor:*',
  '+select +client|setname +cluster|nodes +time +info +wait +multi +exec +eval +evalsha',
  '+get +set +del +exists +pexpire +persist +rename +hset +hget +hmget +hgetall +hkeys +hlen +hdel +hincrby',
  '+zadd +zrem +zscore +zcard +zlexcount +zrange +zrangebylex +zrangebyscore',
  '+xadd +xdel +xlen +xrange +xrevrange +xread',
].join(' ');

/** What to do about an error reply of Redis, by the code that begins it. */
const ADVICE: Readonly<Record<string, string>> = {
  BUSY: 'another script holds Redis up: wait, or end it with SCRIPT KILL',
  LOADING: 'Redis is still loading its data: wait',
  OOM: 'Redis is out of memory: raise maxmemory or remove what else it holds; its eviction policy must be noeviction',
  MISCONF: 'Redis cannot save to disk: look at its log, make room on its disk',
  READONLY: 'this is a replica: name the master, or use redis+sentinel://',
  NOREPLICAS: 'Redis has fewer replicas than min-replicas-to-write: start them',
  MASTERDOWN: 'this replica has lost its master: name the master',
  NOAUTH: 'Redis wants a password: put it into the state URL',
  WRONGPASS: 'the user name or the password in the state URL is wrong',
  NOPERM: `the user needs: ACL SETUSER <user> on ><password> ${ACL_RULE}`,
  CLUSTERDOWN:
    'the Redis cluster serves nothing while a slot has no master: start what CLUSTER NODES calls failed, or set cluster-require-full-coverage to no',
  MOVED: 'that node of the Redis cluster has the state: use redis+cluster://, or wait until it answers',
  TRYAGAIN: 'the Redis cluster is moving the state to another node: wait, or end it with CLUSTER SETSLOT',
  ASK: 'the Redis cluster is moving the state to another node: wait, or end it with CLUSTER SETSLOT',
  NOSCRIPT: 'Redis keeps forgetting its scripts: look for SCRIPT FLUSH',
};
/** Of a cluster whose slot is being moved or has no master now: nothing was done, and a moment later it may be. */
export const NOT_NOW: readonly string[] = ['MOVED', 'ASK', 'TRYAGAIN', 'CLUSTERDOWN'];
const CODES = new RegExp(`\\b(${Object.keys(ADVICE).join('|')})\\b`);

/** An error reply: Redis received the call and refused it. Anything else leaves open whether it happened. */
export function isRefusal(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'ReplyError';
}

/** The code an error reply begins with. Redis before 7 wraps the reply of a command inside a script, so it is looked for. */
export function replyCode(error: Error): string {
  // Redis 7 has no code for a command that a script may not call.
  if (error.message.includes("user executing the script can't")) return 'NOPERM';
  return CODES.exec(error.message)?.[1] ?? error.message.split(' ')[0] ?? '';
}

/** @param where the address, without credentials. */
export function unavailableBecause(where: string, error: unknown): ReactorError {
  const text = describeError(error);
  if (!isRefusal(error)) {
    const hint = where.startsWith('rediss') ? '; does this port speak TLS?' : '';
    return new ReactorError('state_unavailable', `the cluster state at ${where} cannot be reached: ${text}${hint}`, {
      cause: error,
    });
  }
  const code = replyCode(error);
  const advice = ADVICE[code];
  return new ReactorError(
    'state_unavailable',
    `the cluster state at ${where} refused: ${text}${advice === undefined ? '' : `; ${advice}`}`,
    { cause: error, details: { reply: code } },
  );
}
