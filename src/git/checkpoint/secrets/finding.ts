/** Something in a file that looks like a secret. */
export interface Finding {
  /** With its article: `a GitHub token`. */
  readonly kind: string;
  /** The secret itself. Never leaves the scanner. */
  readonly value: string;
  /** Where it begins in the text. */
  readonly index: number;
}
