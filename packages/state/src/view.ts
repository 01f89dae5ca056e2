import type { StateChange, StateEntry, StateView } from '@reactor/core';

/**
 * The view a few changes later, without reading everything again. The former entries are shared when none of them changed:
 * nobody may write to them.
 */
export function laterView(view: StateView, revision: number, changes: readonly StateChange[]): StateView {
  if (changes.length === 0) return { clusterId: view.clusterId, revision, entries: view.entries };
  const entries = new Map<string, StateEntry>(view.entries);
  for (const change of changes) {
    if (change.value === null) entries.delete(change.key);
    else entries.set(change.key, { value: change.value, revision: change.revision });
  }
  return { clusterId: view.clusterId, revision, entries };
}
