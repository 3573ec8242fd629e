/** Text of others where a person has to see exactly what it is: in quotes, with everything invisible written out. */

/** What shows nothing, moves the cursor, or turns the direction of writing; any space but the usual one. */
const invisible = /(?! )[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Z}]/gu;

/** As in JSON. Two different texts never look the same, and no text ends the line or reaches the terminal's own commands. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(invisible, (each) => `\\u{${(each.codePointAt(0) ?? 0).toString(16)}}`);
}
