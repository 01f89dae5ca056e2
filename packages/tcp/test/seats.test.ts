import type { Target, Terms } from '../src/document.js';
import { seatOf } from '../src/document.js';
import { Seats } from '../src/seats.js';

const TERMS: Terms = {
  exclusive: true,
  disposable: false,
  disposeMinMs: 0,
  reconnectMs: 0,
  clientSubnets: [],
  balance: 'random',
};

function target(id: string, change: Partial<Target> = {}): Target {
  return { id, endpoint: 'desk', host: '10.0.0.1', port: 20_000 + id.charCodeAt(0), weight: 1, draining: false, ...change };
}

/** One table of seats, its backends and a clock that is moved by hand. */
function aTable(targets: readonly Target[], change: Partial<Terms> = {}) {
  const terms = { ...TERMS, ...change };
  const seats = new Seats();
  let nowMs = 1_000_000;
  const choose = (address: string, tried: readonly Target[] = [], random = 0) =>
    seats.choose(targets, terms, { address, tried: new Set(tried.map(seatOf)) }, { nowMs, random: () => random });
  return {
    seats,
    choose,
    /** The id of the backend it gets, or why it gets none. */
    come(address: string): string {
      const choice = choose(address);
      if (choice.kind !== 'take') return choice.kind;
      seats.take(choice.target, address, nowMs);
      seats.connected(choice.target);
      return choice.target.id;
    },
    go(id: string, how: 'served' | 'refused' | 'left' = 'served') {
      seats.leave(targets.find((each) => each.id === id)!, terms, how, nowMs);
    },
    after(ms: number) {
      nowMs += ms;
      seats.expire(nowMs, new Set(targets.map(seatOf)));
    },
  };
}

test('an exclusive backend has one client; the next ones wait', () => {
  const table = aTable([target('a'), target('b')]);
  expect([table.come('c1'), table.come('c2'), table.come('c3')].sort()).toEqual(['a', 'b', 'wait']);
  table.go('a');
  expect(table.come('c3')).toBe('a');
});

test('without exclusiveness nobody waits while there is a backend', () => {
  const table = aTable([target('a')], { exclusive: false });
  expect([table.come('c1'), table.come('c2')]).toEqual(['a', 'a']);
  expect(aTable([], { exclusive: false }).come('c1')).toBe('wait');
});

test('a backend that drains is nobody’s choice', () => {
  expect(aTable([target('a', { draining: true })]).come('c1')).toBe('wait');
});

test('chance falls on backends by their weight', () => {
  const table = aTable([target('a', { weight: 1 }), target('b', { weight: 3 })], { exclusive: false });
  const at = (random: number) => {
    const choice = table.choose('c1', [], random);
    return choice.kind === 'take' ? choice.target.id : choice.kind;
  };
  expect([at(0), at(0.24), at(0.26), at(0.99)]).toEqual(['a', 'a', 'b', 'b']);
});

test('leastconn takes the one with the fewest clients for its weight', () => {
  const table = aTable([target('a', { weight: 1 }), target('b', { weight: 2 })], { exclusive: false, balance: 'leastconn' });
  expect(Array.from({ length: 6 }, (_, client) => table.come(`c${client}`)).sort()).toEqual(['a', 'a', 'b', 'b', 'b', 'b']);
});

describe('reconnect', () => {
  test('keeps a backend for the address that has just left it, and for nobody else', () => {
    const table = aTable([target('a')], { reconnectMs: 60_000 });
    table.come('c1');
    table.go('a');
    table.after(59_000);
    expect(table.come('c2')).toBe('wait');
    expect(table.seats.isKept(target('a'))).toBe(true);
    expect(table.come('c1')).toBe('a');
  });

  test('lets others have it when the time is over', () => {
    const table = aTable([target('a')], { reconnectMs: 60_000 });
    table.come('c1');
    table.go('a');
    table.after(60_000);
    expect(table.come('c2')).toBe('a');
  });

  test('a backend that has left the service is kept for nobody', () => {
    const table = aTable([target('a')], { reconnectMs: 60_000 });
    table.come('c1');
    table.go('a');
    table.seats.dismiss(target('a'));
    expect(table.seats.isKept(target('a'))).toBe(false);
  });
});

describe('a disposable backend', () => {
  const disposable = { disposable: true, disposeMinMs: 30_000 };

  test('is spent by a session that lasted long enough', () => {
    const table = aTable([target('a')], disposable);
    table.come('c1');
    table.after(30_000);
    table.go('a');
    expect([table.seats.isSpent(target('a')), table.come('c2')]).toEqual([true, 'wait']);
  });

  test('is not spent by a shorter one, nor by a failed connection', () => {
    const table = aTable([target('a')], disposable);
    table.come('c1');
    table.after(29_999);
    table.go('a');
    table.come('c2');
    table.after(40_000);
    table.go('a', 'refused');
    expect(table.seats.isSpent(target('a'))).toBe(false);
  });

  test('that is kept is spent only when the time to come back is over, and the stay counts from its first session', () => {
    const table = aTable([target('a')], { ...disposable, reconnectMs: 10_000 });
    table.come('c1');
    table.after(20_000);
    table.go('a');
    table.after(5_000);
    expect(table.come('c1')).toBe('a');
    table.after(5_000);
    table.go('a');
    expect(table.seats.isSpent(target('a'))).toBe(false);
    table.after(10_000);
    expect(table.seats.isSpent(target('a'))).toBe(true);
  });
});

describe('a backend that does not answer', () => {
  test('is not tried twice for the same client; one whom all have refused is turned away', () => {
    const targets = [target('a'), target('b')];
    const table = aTable(targets);
    expect(table.choose('c1', [targets[0]!])).toMatchObject({ kind: 'take', target: { id: 'b' } });
    expect(table.choose('c1', targets)).toEqual({ kind: 'none' });
  });

  test('is the last choice for a while, and its marks are gone after an answer', () => {
    const targets = [target('a'), target('b')];
    const table = aTable(targets);
    table.seats.take(targets[0]!, 'c1', 0);
    table.go('a', 'refused');
    expect(table.seats.refused(targets[0]!)).toBe(1);
    expect(table.come('c2')).toBe('b');
    expect(table.come('c3')).toBe('a');
    expect(table.seats.refused(targets[0]!)).toBe(0);
  });
});

test('another instance at the same address has a clean seat', () => {
  const [old, next] = [target('a', { port: 20_000 }), target('b', { port: 20_000 })];
  const table = aTable([old], { disposable: true });
  table.come('c1');
  table.go('a');
  expect([table.seats.isSpent(old), table.seats.isSpent(next)]).toEqual([true, false]);
});
