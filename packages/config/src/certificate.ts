import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** Whether certificate and key are PEM and belong together. Whether they are still valid needs a clock and is not asked here. */

export interface PairFault {
  readonly of: 'certificate' | 'key';
  readonly message: string;
}

/** Fewer are refused by today's TLS libraries, on either side. */
const RSA_BITS_MIN = 2048;
const BLOCKS = /^(?:-----BEGIN ([A-Z0-9 ]+)-----\n[A-Za-z0-9+/=\n]+\n-----END \1-----(?:\n|$))+$/;

export function pairFault(certificate: string, key: string): PairFault | null {
  if (/ENCRYPTED/.test(key)) return { of: 'key', message: 'the private key is password-protected' };
  if (!BLOCKS.test(certificate)) return { of: 'certificate', message: 'expected a PEM certificate and nothing else' };
  if (!BLOCKS.test(key)) return { of: 'key', message: 'expected a PEM private key and nothing else' };
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    return { of: 'certificate', message: 'the certificate cannot be read' };
  }
  let secret: KeyObject;
  try {
    secret = createPrivateKey(key);
  } catch {
    return { of: 'key', message: 'the private key cannot be read' };
  }
  const bits = leaf.publicKey.asymmetricKeyType === 'rsa' ? leaf.publicKey.asymmetricKeyDetails?.modulusLength : undefined;
  if (bits !== undefined && bits < RSA_BITS_MIN) {
    return { of: 'certificate', message: `its RSA key has ${bits} bits; expected at least ${RSA_BITS_MIN}` };
  }
  return leaf.checkPrivateKey(secret) ? null : { of: 'key', message: 'private key does not match certificate' };
}
