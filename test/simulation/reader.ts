import type { InstanceRecord, Json, StateView } from '@reactor/core';
import type { Process } from './machine.js';

/** Whose calls to the store they are, and what that one last read: what it does is to be judged by what it could know. */
export interface Reader {
  readonly process: Process;
  readonly role: 'agent' | 'controller' | 'api';
  /** All there is. */
  view: StateView | null;
  /** The hosts alone. */
  hosts: StateView | null;
  traffic: ReadonlyMap<string, Json> | null;
  /** When it asked for the lease, or for the prolongation, that it was last granted. */
  renewedMs: number | null;
}

/** A change of one instance's record that was committed. */
export interface InstanceWrite {
  readonly id: string;
  readonly record: InstanceRecord | null;
  readonly former: InstanceRecord | null;
}
