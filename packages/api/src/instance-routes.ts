import {
  type Cluster,
  type InstanceView,
  type InstanceWish,
  instanceWord,
  KEYS,
  ReactorError,
  shownName,
  viewInstance,
} from '@reactor/core';
import { type ApiContext, recordEvent } from './context.js';
import { addressOf } from './endpoint-views.js';
import { liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { BOTH, json, type Keeper, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/**
 * What may be wished for an instance. Requests go to instances because they are ready, so `register` and `drop` are about
 * taking one that Reactor runs out of the load balancers and putting it back; no address of anybody else gets in this way.
 */
const keeper: Keeper = ({ backend = '' }, cluster) => find(backend, cluster)[0]?.record.endpoint ?? null;

export const INSTANCE_ROUTES: readonly Route[] = [
  {
    ...route(['POST', 'PUT'], '/register', (request, context) => ownWish(request, context, null), {
      summary: 'Requests go to the instance that asks again',
      gives: shape('InstanceWished'),
      versions: BOTH,
    }),
    caller: 'token',
  },
  {
    ...route(['POST', 'PUT'], '/unregister', (request, context) => ownWish(request, context, 'drop'), {
      summary: 'No requests to the instance that asks until it registers',
      gives: shape('InstanceWished'),
      versions: BOTH,
    }),
    caller: 'token',
  },
  route(['POST', 'PUT'], '/register/:backend', (request, context) => wishFor(request, context, null), {
    summary: 'Requests go to the instance again',
    gives: shape('InstanceWished'),
    versions: BOTH,
    keeper,
  }),
  route(['POST', 'PUT'], '/unregister/:backend', (request, context) => wishFor(request, context, 'drop'), {
    summary: 'No requests to the instance until it is registered',
    gives: shape('InstanceWished'),
    versions: BOTH,
    keeper,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/instances/:instance', associate, {
    summary: 'Keep the instance after all',
    gives: shape('InstanceWished'),
  }),
  route('DELETE', '/endpoints/:endpoint/instances/:instance', disassociate, {
    summary: 'Let the instance leave, replaced first',
    gives: shape('InstanceWished'),
  }),
];

/** Instances by id, by `address:port`, or by an address, which several may have. */
function find(asked: string, cluster: Cluster): readonly InstanceView[] {
  const views = [...cluster.instances.values()].map((instance) => viewInstance(instance, cluster, () => 0));
  const exact = views.find((view) => view.record.id === asked || addressOf(view) === asked);
  return exact === undefined ? views.filter((view) => view.report?.address?.host === asked) : [exact];
}

/** What an instance wishes for itself; in 2013 its address said which one asks. */
async function ownWish({ caller }: RouteRequest, context: ApiContext, kind: InstanceWish['kind'] | null): Promise<Reply> {
  return json(await wish(context, caller?.instance ?? '', kind));
}

async function wishFor(request: RouteRequest, context: ApiContext, kind: InstanceWish['kind'] | null): Promise<Reply> {
  const asked = request.params['backend'] ?? '';
  const { cluster } = await context.moment();
  const [view, ...others] = find(asked, cluster);
  if (view === undefined) {
    throw new ReactorError(
      'not_found',
      `${quoted(asked).slice(1, -1)} is no instance; addresses of others go into static_instances`,
    );
  }
  if (others.length > 0) {
    const message = `${asked} is the address of ${others.length + 1} instances: say which, as address:port or by its id`;
    throw new ReactorError('request_invalid', message);
  }
  return json(await wish(context, view.record.id, kind));
}

/** Its own instances are an endpoint's without being told, so this takes a `disassociate` back that is not carried out yet. */
async function associate(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { id, wish: known } = await ownInstance(request, context);
  return json(await wish(context, id, known === 'drop' ? 'drop' : null));
}

async function disassociate(request: RouteRequest, context: ApiContext): Promise<Reply> {
  return json(await wish(context, (await ownInstance(request, context)).id, 'disassociate'));
}

async function ownInstance(
  request: RouteRequest,
  context: ApiContext,
): Promise<{ readonly id: string; readonly wish: InstanceWish['kind'] | null }> {
  const { name, cluster } = await liveEndpoint(request, context);
  const asked = request.params['instance'] ?? '';
  const record = cluster.instances.get(asked)?.value;
  if (record?.endpoint === name) return { id: asked, wish: cluster.wishes.get(asked)?.value.kind ?? null };
  const shown = quoted(shownName(cluster, name));
  throw new ReactorError(
    'not_found',
    `no instance ${quoted(asked)} of ${shown}: Reactor starts them itself; others go into static_instances`,
  );
}

/** Each attempt that fails means that the instance, or the wish for it, was just changed by somebody else. */
const ATTEMPTS = 20;

async function wish(context: ApiContext, id: string, kind: InstanceWish['kind'] | null): Promise<object> {
  const key = KEYS.wish(id);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { cluster } = await context.moment();
    const instance = cluster.instances.get(id);
    if (instance === undefined) throw new ReactorError('not_found', `no instance ${quoted(id)}: it has just gone`);
    const stored = cluster.wishes.get(id);
    const shown = viewInstance(instance, cluster, () => 0);
    const next = kind === null ? null : { kind, atMs: context.now() };
    const answer = {
      instance: id,
      endpoint: shownName(cluster, instance.value.endpoint),
      state: instanceWord({ ...shown, wish: next }),
    };
    if ((stored?.value.kind ?? null) === kind) return answer;
    const result = await context.store.commit({
      // A wish for an instance that has gone would never be struck out.
      expect: [
        { key, revision: stored?.revision ?? 0 },
        { key: KEYS.instance(id), revision: instance.revision },
      ],
      write: [{ key, value: next }],
    });
    if (result.kind === 'conflict') continue;
    await tell(context, instance.value.endpoint, `${id} (${addressOf(shown) ?? 'no address yet'})`, kind);
    return answer;
  }
  throw new ReactorError('conflict', `instance ${quoted(id)} is being changed by others; try again`);
}

/** In the words of 2013. */
async function tell(context: ApiContext, endpoint: string, who: string, kind: InstanceWish['kind'] | null): Promise<void> {
  if (kind === null) return recordEvent(context, endpoint, 'CONFIRM_IP', `${who} registered: it gets requests while it is ready`);
  if (kind === 'drop')
    return recordEvent(context, endpoint, 'DROP_IP', `${who} dropped: it gets no requests until it is registered`);
  return recordEvent(context, endpoint, 'DECOMMISSION_INSTANCE', `${who} disassociated: it leaves as soon as it is replaced`);
}
