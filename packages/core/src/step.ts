import type { LogEntry } from './ports.js';

/** What a round does about one endpoint. A closed union; waiting is a step too, so that nothing is left to guess. */
export type Step =
  | {
      readonly kind: 'start';
      readonly instance: string;
      readonly host: string;
      readonly replaces: string | null;
      readonly why: string;
    }
  | { readonly kind: 'recommission'; readonly instance: string; readonly host: string }
  | { readonly kind: 'retire'; readonly instance: string; readonly host: string; readonly errored: boolean; readonly why: string }
  | { readonly kind: 'remove'; readonly instance: string; readonly host: string; readonly why: string }
  | { readonly kind: 'forget'; readonly instance: string }
  | { readonly kind: 'wait'; readonly instance: string | null; readonly on: string };

/** The endpoint log's line for a step; null for what is not worth telling people. */
export function stepEvent(step: Step): Pick<LogEntry, 'level' | 'event' | 'message'> | null {
  switch (step.kind) {
    case 'start':
      return { level: 'info', event: 'LAUNCH_INSTANCE', message: `starting ${step.instance} on ${step.host}: ${step.why}` };
    case 'recommission':
      return {
        level: 'info',
        event: 'RECOMMISSION_INSTANCE',
        message: `taking ${step.instance} on ${step.host} back into service`,
      };
    case 'retire':
      return step.errored
        ? { level: 'warning', event: 'ERROR_INSTANCE', message: `retiring ${step.instance} on ${step.host}: ${step.why}` }
        : { level: 'info', event: 'DECOMMISSION_INSTANCE', message: `draining ${step.instance} on ${step.host}: ${step.why}` };
    case 'remove':
      return { level: 'info', event: 'DELETE_INSTANCE', message: `removing ${step.instance} on ${step.host}: ${step.why}` };
    case 'forget':
    case 'wait':
      return null;
  }
}
