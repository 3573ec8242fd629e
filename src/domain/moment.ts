/** Moments as people write them: `10m` ago, or an ISO 8601 date and time. Pure. */

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Four digits and a `d` could be an abbreviated object name. */
const ago = /^(?:(\d{1,9})([smh])|(\d{1,3})(d))$/;
const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/** undefined for what is no moment. Without a zone it is local time; a date alone is its midnight. */
export function parseMoment(text: string, now: Date): Date | undefined {
  const match = ago.exec(text);
  if (match !== null) {
    const [, count, unit, days, day] = match;
    return new Date(now.getTime() - 1000 * Number(count ?? days) * (seconds[unit ?? day ?? ''] ?? 0));
  }
  if (!iso.test(text)) return undefined;
  const parsed = new Date(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'));
  return Number.isNaN(parsed.getTime()) ? undefined : parsed;
}
