/** Times in a table of contents: RFC 3339 with up to nine digits of a second, as Go writes them. */
import type { TarTime } from '../tar/format.ts';

const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** An empty text, a missing time, stands for 1970. Undefined for what is no time. */
export function parseTableTime(text: string): TarTime | undefined {
  if (text === '') return { seconds: 0n, nanos: 0 };
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const [fraction = '', sign = '+', zoneHour = '0', zoneMinute = '0'] = match.slice(7);
  const date = new Date(0);
  // Not Date.UTC, which takes years below 100 for those of the last century.
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // A day that the month does not have would have become one of the next.
  if (date.toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined;
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const zone = (sign === '-' ? -1 : 1) * (Number(zoneHour) * 3600 + Number(zoneMinute) * 60);
  return { seconds: BigInt(date.getTime() / 1000 - zone), nanos: Number(fraction.padEnd(9, '0')) };
}
