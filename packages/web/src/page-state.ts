import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Answer, ask, wordsOf } from './exchange.js';
import { type PageRoute, pageOf } from './page-route.js';
import type { LiveState, Stream } from './stream.js';

/** What components remember, and what makes them draw again. */

export function useRoute(): PageRoute {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return pageOf(hash);
}

/** The newest state, at most once a frame. */
export function useLive(stream: Stream): LiveState {
  const [state, setState] = useState(stream.state());
  useEffect(() => {
    let frame = 0;
    setState(stream.state());
    const stop = stream.subscribe(() => {
      if (frame === 0) {
        frame = requestAnimationFrame(() => {
          frame = 0;
          setState(stream.state());
        });
      }
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [stream]);
  return state;
}

export interface Fetched<T> {
  readonly answer: Answer<T> | null;
  readonly mistake: string | null;
  readonly again: () => void;
}

/** Asked once for each `path`, and when `again` is called; null asks nothing. */
export function useAnswer<T>(path: string | null): Fetched<T> {
  const [answer, setAnswer] = useState<Answer<T> | null>(null);
  const [mistake, setMistake] = useState<string | null>(null);
  const [round, setRound] = useState(0);
  const again = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    let stillWanted = true;
    if (path === null) return;
    ask<T>('GET', path).then(
      (found) => {
        if (!stillWanted) return;
        setAnswer(found);
        setMistake(null);
      },
      (error) => stillWanted && setMistake(wordsOf(error)),
    );
    return () => {
      stillWanted = false;
    };
  }, [path, round]);
  return { answer, mistake, again };
}

export interface Task {
  readonly busy: boolean;
  /** Why the last try failed; null when it did not. */
  readonly mistake: unknown;
  /** True when it was done. */
  run(work: () => Promise<unknown>): Promise<boolean>;
}

/** One thing at a time, with its failure. */
export function useTask(): Task {
  const [busy, setBusy] = useState(false);
  const [mistake, setMistake] = useState<unknown>(null);
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setMistake(null);
    try {
      await work();
      return true;
    } catch (error) {
      setMistake(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, mistake, run };
}

/** Now, by the minute hand that ages are shown with. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** For what is typed: the value once nothing was typed for a while. */
export function useSettled<T>(value: T, afterMs: number): T {
  const [settled, setSettled] = useState(value);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const timer = setTimeout(() => setSettled(value), afterMs);
    return () => clearTimeout(timer);
  }, [value, afterMs]);
  return settled;
}
