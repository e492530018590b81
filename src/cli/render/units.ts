/** Sizes, durations and counts for people. */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `52,184 B` below one KiB stays exact; above it one decimal: `14.2 MiB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

export function secondsText(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `61,204`, the same in every locale. */
export function countText(count: number): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 problem`, `1,204 problems`. */
export function problemCount(count: number): string {
  return `${countText(count)} ${count === 1 ? 'problem' : 'problems'}`;
}
