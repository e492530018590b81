/** `signByKey` as it is typed: `sign-by-key`. */
export function kebab(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
