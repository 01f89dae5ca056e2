import { createFakeStore, storeConformance } from '@reactor/testkit';

storeConformance('the fake store', async () => {
  let nowMs = 1_000_000;
  const store = createFakeStore({ now: () => nowMs });
  return {
    store,
    changesKept: 2_000,
    advance: async (ms) => {
      nowMs += ms;
      store.tick();
    },
    replaceContents: async () => store.replaceContents(),
    close: () => store.close(),
  };
});

describe('the switches of the fake store', () => {
  test('failNext fails as many calls as asked and then no more', async () => {
    const store = createFakeStore({ now: () => 0 });
    store.failNext('state_unavailable', 2);
    await expect(store.read('')).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(store.commit({ expect: [], write: [] })).rejects.toMatchObject({ code: 'state_unavailable' });
    expect((await store.read('')).revision).toBe(0);
  });

  test('forgetChanges makes a watcher resync', async () => {
    const store = createFakeStore({ now: () => 0 });
    await store.commit({ expect: [], write: [{ key: 'a', value: 1 }] });
    store.forgetChanges();
    const events = store.watch('', 0, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual({ kind: 'resync' });
  });
});
