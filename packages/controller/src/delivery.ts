import { createHmac } from 'node:crypto';
import { lookup } from 'node:dns';
import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { describeError } from '@reactor/core';

/**
 * One delivery to one receiver. The address is the operator's own, so private networks and this very machine are fine; what
 * nobody means is the machine's own metadata service and link-local neighbours, which a name that somebody else answers for,
 * or a redirect, could lead to. So those are refused after the name is resolved, and no redirect is followed.
 */
export interface Delivery {
  readonly url: string;
  readonly secret: string;
  readonly id: string;
  readonly event: string;
  readonly body: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** `refused`: asking again would be answered alike. */
export type Outcome = { readonly kind: 'delivered' } | { readonly kind: 'failed' | 'refused'; readonly why: string };

/** For all of it. */
const TIMEOUT_MS = 10_000;

const NEVER = new BlockList();
NEVER.addSubnet('169.254.0.0', 16);
NEVER.addSubnet('fe80::', 10, 'ipv6');
/** Metadata services that are not link-local: Amazon's by IPv6, Alibaba's. */
NEVER.addAddress('fd00:ec2::254', 'ipv6');
NEVER.addAddress('100.100.100.200');

const isNever = (address: string): boolean => NEVER.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`: a body that is kept and sent again later has an old time. */
export function signatureOf(secret: string, nowMs: number, body: string): string {
  const seconds = Math.floor(nowMs / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export async function deliver(delivery: Delivery): Promise<Outcome> {
  const { hostname, protocol } = new URL(delivery.url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && isNever(host)) return { kind: 'refused', why: `${host} is never asked` };
  const options: RequestOptions = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(delivery.body),
      'user-agent': 'reactor',
      'x-reactor-event': delivery.event,
      'x-reactor-delivery': delivery.id,
      'x-reactor-signature': signatureOf(delivery.secret, delivery.nowMs, delivery.body),
    },
    lookup: checkedLookup,
    agent: false,
    // Of the whole: a receiver that sends a byte now and then would hold it for ever.
    signal: AbortSignal.any([delivery.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  };
  return new Promise((resolve) => {
    const sent: ClientRequest = (protocol === 'https:' ? httpsRequest : httpRequest)(delivery.url, options, (response) => {
      resolve(outcomeOf(response.statusCode ?? 0));
      // What it says besides its status is nobody's.
      sent.destroy();
    });
    sent.on('error', (error) =>
      resolve({
        kind: 'failed',
        why:
          error.name === 'AbortError' || error.name === 'TimeoutError'
            ? `no answer within ${TIMEOUT_MS / 1000} s`
            : describeError(error),
      }),
    );
    sent.end(delivery.body);
  });
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status >= 300 && status < 400) return { kind: 'refused', why: `status ${status}: redirects are not followed` };
  const again = status >= 500 || status === 408 || status === 429;
  return { kind: again ? 'failed' : 'refused', why: `status ${status}` };
}

/** Resolves as ever, and then refuses what is never asked. */
const checkedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const found = typeof address === 'string' ? [address] : (address ?? []).map((each) => each.address);
    const never = error === null ? found.find(isNever) : undefined;
    callback(never === undefined ? error : new Error(`${hostname} is ${never}, which is never asked`), address, family);
  });
};
