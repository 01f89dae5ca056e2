import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StateStore } from '@reactor/core';
import { LIMITS, openEmbedded } from '@reactor/state';
import { storeConformance } from '@reactor/testkit';

storeConformance('the embedded store', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-state-'));
  let current = await openEmbedded({ directory });
  const swap = async (open: () => Promise<StateStore>) => {
    await current.close();
    current = await open();
    return current;
  };
  return {
    store: current,
    changesKept: LIMITS.changesKept,
    advance: (ms) => delay(ms),
    reopen: () => swap(() => openEmbedded({ directory })),
    openKnowing: (known) => swap(() => openEmbedded({ directory, known })),
    close: async () => {
      await current.close();
      rmSync(directory, { recursive: true });
    },
  };
});
