import { createHash } from 'node:crypto';

/**
 * An instance finds a token of its own in its environment and shows it to the API instead of a key: so the API knows which
 * instance asks, whatever address the request comes from. The cluster state and the labels of the container hold only the
 * hash. A token is 256 random bits, so one hash without salt or cost is enough: there is nothing to guess.
 */
export const TOKEN_VARIABLE = 'REACTOR_TOKEN';

/** In the form of a header value. */
export const TOKEN_FORM = /^[A-Za-z0-9_-]{8,64}$/;

export const hashToken = (token: string): string => createHash('sha256').update(`reactor instance ${token}`).digest('hex');
