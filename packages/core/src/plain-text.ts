import { createHash } from 'node:crypto';

/**
 * What may stand in a load balancer's configuration as it is. Whoever checked a value before, each load balancer holds it to
 * these once more, so that nothing has to be quoted: blanks, line ends, `#`, `;`, `$`, `%`, `\`, quotes and braces end or
 * begin something there, and none of them passes.
 */
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
export const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
export const URL_PATH = /^\/[A-Za-z0-9._~!&()*+,:=@/-]{0,1023}$/;
export const FILE_PATH = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;

const PEM_BLOCK = '-----BEGIN [A-Z0-9 ]{3,40}-----\\r?\\n(?:[A-Za-z0-9+/=]{1,80}\\r?\\n)+-----END [A-Z0-9 ]{3,40}-----';
const PEM = new RegExp(`^(?:[ \\t\\r\\n]*${PEM_BLOCK})+[ \\t\\r\\n]*$`);
const PEM_LIMIT_BYTES = 262_144;

export const isPem = (text: string): boolean => text.length <= PEM_LIMIT_BYTES && PEM.test(text);

/** As it is written: without what stands around it, and without the line ends of other systems. */
export const plainPem = (text: string): string => `${text.trim().replace(/\r/g, '')}\n`;

export const isWhole = (value: number, low: number, high: number): boolean =>
  Number.isInteger(value) && value >= low && value <= high;
export const isPort = (port: number): boolean => isWhole(port, 1, 65_535);

/** Why a backend cannot be written, or null. `isAddress` says of an IP address that it is one. */
export function backendFault(
  { id, host, port, weight }: { readonly id: string; readonly host: string; readonly port: number; readonly weight: number },
  isAddress: (host: string) => boolean,
): string | null {
  if (!isAddress(host) || host.includes('%')) return `backend '${id}': its host is not an address`;
  if (!isPort(port)) return `backend '${id}': its port is not 1 to 65535`;
  return isWhole(weight, 0, WEIGHT_LIMIT) ? null : `weight: expected 0 to ${WEIGHT_LIMIT}`;
}

const WEIGHT_LIMIT = 65_535;

/** 12 hex digits: enough for names that must not clash by accident, and an exact number too. */
export const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
