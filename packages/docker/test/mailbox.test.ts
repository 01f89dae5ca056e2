import { createMailbox, MAX_WAITING } from '../src/mailbox.js';

async function drain(mailbox: ReturnType<typeof createMailbox>, count: number) {
  const letters = mailbox.take();
  const seen: (string | null)[] = [];
  while (seen.length < count) seen.push((await letters.next()).value ?? null);
  return seen;
}

describe('the mailbox between the event stream and its reader', () => {
  test('holds an id once however often it is put', async () => {
    const mailbox = createMailbox();
    for (const id of ['a', 'a', 'b', 'a', 'c']) mailbox.put(id);
    expect(await drain(mailbox, 3)).toEqual(['a', 'b', 'c']);
  });

  test('holds "look at all" instead of more than it can, and then nothing besides', async () => {
    const mailbox = createMailbox();
    for (let index = 0; index < 3 * MAX_WAITING; index += 1) mailbox.put(`c${index}`);
    expect(await drain(mailbox, 1)).toEqual([null]);
    mailbox.put('late');
    expect(await drain(mailbox, 1)).toEqual(['late']);
  });

  test('wakes a waiting reader, and closing ends it', async () => {
    const mailbox = createMailbox();
    const letters = mailbox.take();
    const first = letters.next();
    mailbox.put('a');
    expect(await first).toEqual({ done: false, value: 'a' });
    const second = letters.next();
    mailbox.close();
    expect(await second).toEqual({ done: true, value: undefined });
  });
});
