/** The command line itself is wrong: one line on standard error and exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(
    message: string,
    readonly unknown: UnknownWord | null = null,
  ) {
    super(message);
  }
}

/** A word that is none of those known; whoever prints the error adds the nearest one to the message. */
export interface UnknownWord {
  readonly word: string;
  readonly known: readonly string[];
  /** Added to the message when none is near. */
  readonly otherwise: string;
}

/** The message with its suggestion. What measures nearness comes with a large package, which only a mistake has to load. */
export async function usageMessage({ message, unknown }: UsageError): Promise<string> {
  if (unknown === null) return message;
  const { didYouMean } = await import('@reactor/config');
  return `${message}${didYouMean(unknown.word, unknown.known) || unknown.otherwise}`;
}
