import { answerOf, pathOf } from './call.js';
import type { Target } from './exchange.js';
import type { InstanceWished } from './wire.js';

/** What may be wished for an instance. `backend` is its id or address; null is the instance that asks, which shows its token. */
export interface InstanceCalls {
  /** Puts a dropped instance back into the load balancers. */
  register(backend: string | null): Promise<InstanceWished>;
  /** Takes it out of the load balancers until it is registered again; after `unregistered_timeout` it is replaced. */
  drop(backend: string | null): Promise<InstanceWished>;
  /** Takes `disassociate` back. */
  associate(name: string, instance: string): Promise<InstanceWished>;
  /** It is replaced, and then leaves. */
  disassociate(name: string, instance: string): Promise<InstanceWished>;
}

export function instanceCalls(target: Target): InstanceCalls {
  const of = (name: string, instance: string): string => pathOf(name, `instances/${encodeURIComponent(instance)}`);
  const below = (backend: string | null): string => (backend === null ? '' : `/${encodeURIComponent(backend)}`);
  const post = (path: string): Promise<InstanceWished> => answerOf(target, { method: 'POST', path });
  return {
    register: (backend) => post(`/v1.1/register${below(backend)}`),
    drop: (backend) => post(`/v1.1/unregister${below(backend)}`),
    associate: (name, instance) => post(of(name, instance)),
    disassociate: (name, instance) => answerOf(target, { method: 'DELETE', path: of(name, instance) }),
  };
}
