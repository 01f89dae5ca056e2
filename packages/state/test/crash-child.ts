import { openEmbedded } from '@reactor/state';

/** Commits pairs of keys as fast as it can and prints every answered revision with its number, until it is killed. */
const [directory = '', first = '0'] = process.argv.slice(2);
const store = await openEmbedded({ directory });
let next = Number(first);

async function commitForever(lane: number): Promise<never> {
  for (;;) {
    const n = next;
    next += 1;
    const value = { n, filler: 'x'.repeat(n % 3_000) };
    const result = await store.commit({
      expect: [],
      write: [
        { key: `pair/${lane}/left`, value },
        { key: `pair/${lane}/right`, value },
        { key: `all/${n}`, value: n },
      ],
    });
    if (result.kind === 'committed') process.stdout.write(`${n} ${result.revision}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(commitForever));
