import { run } from './command.js';

/** Without a port the whole machine. */
export interface Place {
  readonly address: string;
  readonly port?: number;
}

/** `to`: what the host sends there is lost. `from`: what comes from there is. */
export type CutDirection = 'both' | 'to' | 'from';

/** Drops packets in the raw table, before Docker's own rules see them; containers' packets, too. */
export function createFirewall(namespace: string): {
  drop(places: readonly Place[], direction?: CutDirection): Promise<void>;
  clear(): Promise<void>;
} {
  const standing: (readonly string[])[] = [];
  const iptables = (verb: '-I' | '-D', rule: readonly string[]): Promise<string> =>
    run('nsenter', [`--net=/run/netns/${namespace}`, 'iptables', '-w', '-t', 'raw', verb, ...rule]);
  return {
    drop: async (places, direction = 'both') => {
      for (const { address, port } of places) {
        const to = ['-d', address, ...(port === undefined ? [] : ['-p', 'tcp', '--dport', String(port)]), '-j', 'DROP'];
        const from = ['-s', address, ...(port === undefined ? [] : ['-p', 'tcp', '--sport', String(port)]), '-j', 'DROP'];
        const rules = [
          ...(direction === 'from'
            ? []
            : [
                ['OUTPUT', ...to],
                ['PREROUTING', ...to],
              ]),
          ...(direction === 'to' ? [] : [['PREROUTING', ...from]]),
        ];
        for (const rule of rules) {
          await iptables('-I', rule);
          standing.push(rule);
        }
      }
    },
    clear: async () => {
      for (const rule of standing.splice(0)) await iptables('-D', rule);
    },
  };
}
