import { KEYS } from './keys.js';
import type { Json } from './model.js';
import type { EndpointHistory, EndpointPlan, Plan } from './plan.js';
import type { StateEntry, StateView } from './ports.js';
import { number, oneOf, orNull, recordOf, text } from './record-check.js';

/**
 * What others are to be told of. A notice is written in the very commit that makes it so, under `notices/<id>`, and struck out
 * by whoever leads once it is told: so none is told of what did not happen, and none is lost with a leader.
 */
export interface Notice {
  /** The same however often it is told. */
  readonly id: string;
  readonly event: NoticeEvent;
  readonly atMs: number;
  readonly endpoint: string | null;
  readonly instance: string | null;
  readonly host: string | null;
  /** Instances before and then; null where it is not about how many. */
  readonly from: number | null;
  readonly to: number | null;
  /** For people: the decision's own sentence, or what failed. */
  readonly text: string;
}

const EVENTS = ['scale', 'failure', 'host_lost', 'host_recovered'] as const;
export type NoticeEvent = (typeof EVENTS)[number];

/** One that has no id yet; what it is not about is left out. */
export type NoticeDraft = Pick<Notice, 'event' | 'text'> & Partial<Omit<Notice, 'id' | 'atMs'>>;

/** What a commit of that plan tells about the endpoint, which is `called` so; `before` is what was remembered of it. */
export function endpointNotices(planned: EndpointPlan, called: string, before: EndpointHistory | null): readonly NoticeDraft[] {
  const { record, steps } = planned.report;
  const notices: NoticeDraft[] = [];
  if (planned.events.some(({ event }) => event === 'SCALE_UPDATE')) {
    notices.push({ event: 'scale', endpoint: called, from: record.instances, to: record.target, text: record.sentence });
  }
  for (const step of steps) {
    if (step.kind !== 'retire' || !step.errored) continue;
    notices.push({ event: 'failure', endpoint: called, instance: step.instance, host: step.host, text: step.why });
  }
  const { failures } = planned.history ?? {};
  if (failures !== undefined && failures.count > 0 && failures.notBeforeMs !== before?.failures.notBeforeMs) {
    const times = failures.count === 1 ? '' : `, ${failures.count} in a row`;
    notices.push({
      event: 'failure',
      endpoint: called,
      host: failures.recent.at(-1)?.host ?? null,
      text: `an instance could not be started${times}`,
    });
  }
  return notices;
}

/** What the plan notes about hosts. */
export function hostNotices({ losses }: Plan): readonly NoticeDraft[] {
  return losses.flatMap(({ host, revision, loss }): readonly NoticeDraft[] => {
    if (loss === null) return [{ event: 'host_recovered', host, text: `host ${host} is back` }];
    return revision === 0 ? [{ event: 'host_lost', host, text: `host ${host} is not heard any more` }] : [];
  });
}

const NOBODY = { endpoint: null, instance: null, host: null, from: null, to: null };

/** As a commit writes them. */
export function noticeWrites(
  drafts: readonly NoticeDraft[],
  atMs: number,
  newId: () => string,
): readonly { key: string; value: Json }[] {
  return drafts.map((draft) => {
    const { event, ...rest } = draft;
    const notice: Notice = { id: newId(), event, atMs, ...NOBODY, ...rest };
    return { key: KEYS.notice(notice.id), value: { ...notice } };
  });
}

const isNotice = recordOf<Notice>({
  id: text,
  event: oneOf(...EVENTS),
  atMs: number,
  endpoint: orNull(text),
  instance: orNull(text),
  host: orNull(text),
  from: orNull(number),
  to: orNull(number),
  text,
});

export interface KeptNotice {
  readonly key: string;
  readonly revision: number;
  /** Null when it cannot be read. */
  readonly notice: Notice | null;
}

/** Those of a view, oldest first. */
export function keptNotices(view: StateView): readonly KeptNotice[] {
  const kept = ([key, { value, revision }]: readonly [string, StateEntry]): KeptNotice => ({
    key,
    revision,
    notice: isNotice(value) === null ? (value as unknown as Notice) : null,
  });
  return [...view.entries]
    .filter(([key]) => key.startsWith(KEYS.notices))
    .map(kept)
    .sort((a, b) => a.revision - b.revision);
}
