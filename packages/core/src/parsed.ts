/** What a parser of operator text answers: the value, or the one mistake to tell. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };

export interface Fault {
  /** Where in the parsed text, 1-based. */
  readonly column: number;
  /** What is wrong and what was expected, without the place. */
  readonly message: string;
}

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const fault = (column: number, message: string): { readonly ok: false; readonly fault: Fault } => ({
  ok: false,
  fault: { column, message },
});
