import { Breaker, FAILURES_TO_OPEN } from '../src/breaker.js';

function scripted() {
  const clock = { ms: 0 };
  const changes: string[] = [];
  const breaker = new Breaker(
    5_000,
    () => clock.ms,
    (open, reason) => changes.push(`${open ? 'open' : 'closed'}: ${reason}`),
  );
  const failOften = (times: number) => {
    for (let count = 0; count < times; count += 1) breaker.failed(breaker.admit(), 'no answer');
  };
  return { clock, changes, breaker, failOften };
}

describe('the breaker', () => {
  test('opens at the fifth failure in a row, and says so once', () => {
    const { breaker, changes, failOften } = scripted();
    failOften(FAILURES_TO_OPEN - 1);
    expect(breaker.admit()).toBe('closed');
    failOften(1);
    expect(breaker.admit()).toBe('refused');
    breaker.failed('closed', 'a late one');
    expect(changes).toEqual(['open: no answer']);
  });

  test('stays closed when a success comes between', () => {
    const { breaker, changes, failOften } = scripted();
    failOften(FAILURES_TO_OPEN - 1);
    breaker.succeeded();
    failOften(FAILURES_TO_OPEN - 1);
    expect(breaker.admit()).toBe('closed');
    expect(changes).toEqual([]);
  });

  test('lets one call through after the wait, and stays open when that fails', () => {
    const { breaker, clock, changes, failOften } = scripted();
    failOften(FAILURES_TO_OPEN);
    clock.ms = 5_000;
    expect([breaker.admit(), breaker.admit()]).toEqual(['probe', 'refused']);
    breaker.failed('probe', 'still none');
    expect(breaker.admit()).toBe('refused');
    clock.ms = 10_000;
    expect(breaker.admit()).toBe('probe');
    breaker.succeeded();
    expect(breaker.admit()).toBe('closed');
    expect(changes).toEqual(['open: no answer', 'closed: still none']);
  });

  test('lets the next call try when the trying one was given up', () => {
    const { breaker, clock, failOften } = scripted();
    failOften(FAILURES_TO_OPEN);
    clock.ms = 5_000;
    breaker.abandoned(breaker.admit());
    expect(breaker.admit()).toBe('probe');
  });
});
