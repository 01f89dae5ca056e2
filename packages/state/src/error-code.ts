/** The code of a system error such as ENOENT. By its shape: a test runner has several `Error` classes. */
export function errorCode(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
