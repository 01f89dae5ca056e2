import { type Alarm, type Clock, createDiary, LOGS, type LogLevel, type Meter, type StateStore } from '@reactor/core';

/** What the leader's last plan wants people to look at: told when it begins and when it ends, in the daemon's log and in the host's, and open meanwhile. */
export interface Alarms {
  /** Takes note of all that a plan raises; what it no longer raises is over. */
  settle(raised: readonly Alarm[]): void;
  /** Without a word: this daemon does not lead any more. */
  forget(): void;
  open(): readonly string[];
}

const KINDS: readonly Alarm['kind'][] = ['brake', 'retirements', 'unreadable'];

export function createAlarms(options: {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly host: string;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
}): Alarms {
  const { store, clock, host, meter, log } = options;
  const diary = createDiary(store, clock, log);
  let open = new Map<Alarm['kind'], string>();

  const tell = (level: LogLevel, event: string, message: string): void => {
    log(level, message);
    diary.tell(LOGS.manager(host), level, event, message);
  };

  const settle = (raised: readonly Alarm[]): void => {
    const now = new Map(raised.map(({ kind, text }) => [kind, text]));
    for (const kind of KINDS) {
      const text = now.get(kind);
      const before = open.get(kind);
      meter.set('reactor_alarm', { kind }, text === undefined ? 0 : 1);
      if (text !== undefined && text !== before) tell('error', `ALARM_${kind.toUpperCase()}`, text);
      if (text === undefined && before !== undefined) tell('info', `ALARM_${kind.toUpperCase()}_ENDED`, `over: ${before}`);
    }
    open = now;
  };
  const forget = (): void => {
    for (const kind of open.keys()) meter.set('reactor_alarm', { kind }, 0);
    open = new Map();
  };
  return { settle, forget, open: () => [...open.values()] };
}
