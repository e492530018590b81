/** Text from requests and replies, made fit for a message: no secrets, no endless lines. */

/** Longest server text that a message repeats. */
const MAX_TEXT = 200;

/** The URL without user, password, query and fragment: any of them may hold a secret. */
export function safeUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** One short line of what a server said, without control characters, and without the secrets that URLs carry. */
export function safeText(text: string): string {
  const clean = text
    .slice(0, 10 * MAX_TEXT)
    // oxlint-disable-next-line no-control-regex -- they are what is being removed
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replaceAll(/\/\/[^/\s@]*@/g, '//')
    .replaceAll(/\?[^\s"']*/g, '')
    .replaceAll(/\b(Bearer|Basic)\s+\S+/gi, '$1 …')
    .trim();
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean;
}
