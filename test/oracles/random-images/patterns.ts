/** Random patterns of file_contexts about given paths: most plain, some odd, a few that no engine takes. */
import type { Random } from './random.ts';

const CONTEXTS = ['bin_t', 'etc_t', 'lib_t', 'usr_t', 'var_t', 'shadow_t'].map(
  (type) => `system_u:object_r:${type}:s0`,
);
const TYPES = ['', '', '', ' --', ' -d', ' -l', ' -c', ' -b', ' -p', ' -s'];

/** Beyond the subset that everyone writes. Each is looked up by one engine or by the other. */
const ODD = [
  String.raw`(?!s)[^/]*`,
  String.raw`(?=.*a)[^/]*`,
  String.raw`[^/]*(?<=[a-m])`,
  String.raw`[^/]*(?<!e)`,
  String.raw`(?>[a-z]*)[0-9]?`,
  String.raw`[a-z]++\W?.*`,
  String.raw`([a-z])[^/]*\2`,
  String.raw`(?i)[A-M][^/]*`,
  String.raw`(?i:USR|x)?[^/]*`,
  String.raw`(?s).+`,
  String.raw`(?s-u:.)[^/]{2,}`,
  String.raw`\Qa.b\E|[^/]*`,
  String.raw`\h?[^/]*`,
  String.raw`[é-ü]?[^/]*`,
  String.raw`é*[^/]*`,
  String.raw`\xe9?[^/]*`,
  String.raw`\x{e9}?[^/]*`,
  String.raw`\w+\b.*`,
  String.raw`\B[^/]+`,
  String.raw`\b{start}[^/]*`,
  String.raw`[[:alpha:]_]+[[:^alpha:]]?`,
  String.raw`[\w&&[^aeiou]]+`,
  String.raw`[a-z--m]*`,
  String.raw`[a~~b]*[^/]*`,
  String.raw`{x[^/]*`,
  String.raw`.{0,3}`,
  String.raw`.{,3}`,
  String.raw`[]a-z]+`,
  String.raw`[^]/]+`,
  String.raw`[a-z-]+`,
  String.raw`(?P<n>[a-z])(?P=n)?[^/]*`,
  String.raw`(?<n>x)|[^/]*\k<n>?`,
  String.raw`(?m)^[^/]*`,
  String.raw`[^/]*$`,
  String.raw`\d*\D\S+\s?`,
  String.raw`(a|b|)*[^/]*`,
  String.raw`(?:[a-z]?)*[^/]?`,
  String.raw`\141?[^/]*`,
  String.raw`\R?[^/]*`,
  String.raw`(?U)[a-z]+[^/]*`,
  String.raw`\N+`,
  String.raw`\p{L}+[^/]*`,
  String.raw`a)|(b`,
  String.raw`.*)|(/usr/b`,
];
const BAD = ['*a', '[z-a]', '(a', '(?<=a+)b', String.raw`\2\9`, 'a{3,2}'];

export interface PatternOptions {
  /** Also lines for which the image is refused. */
  readonly bad: boolean;
}

/** Text of a file of patterns. Paths are absolute and UTF-8. */
export function randomSpecs(
  random: Random,
  paths: readonly string[],
  count: number,
  options: PatternOptions,
): string {
  const lines: string[] = [];
  for (let at = 0; at < count; at++) {
    const context = random.chance(15) ? '<<none>>' : random.pick(CONTEXTS);
    const space = random.pick([' ', '\t', '  ', '\u00a0', ' \t ']);
    lines.push(
      `${randomPattern(random, random.pick(paths), options)}${random.pick(TYPES)}${space}${context}`,
    );
    if (random.chance(10)) lines.push(random.pick(['', '# comment', ' \t', '\f# x y z w']));
  }
  return `${lines.join(random.chance(10) ? '\r\n' : '\n')}${random.chance(80) ? '\n' : ''}`;
}

function randomPattern(random: Random, path: string, { bad }: PatternOptions): string {
  const parts = path.split('/').slice(1);
  const cut = parts.slice(0, 1 + random.below(parts.length));
  const texts = cut.map((part) => (random.chance(30) ? randomPart(random, part, bad) : quote(part)));
  const stem = `/${texts.join('/')}`;
  switch (random.below(6)) {
    case 0:
      return `${stem}(/.*)?`;
    case 1:
      return `${stem}/[^/]*`;
    case 2:
      return `${stem}.*`;
    case 3:
      return stem.replace('/', '/(.*/)?');
    default:
      return stem;
  }
}

function randomPart(random: Random, part: string, bad: boolean): string {
  switch (random.below(7)) {
    case 0:
      return '[^/]+';
    case 1:
      return `${quote(part.slice(0, 2))}.*`;
    case 2:
      return `(${quote(part)}|x|[0-9]+)`;
    case 3:
      return `${quote(part)}${random.pick(['?', '+', '{1,2}', '{1}', '*?', '{1,}'])}`;
    case 4:
      return part
        .replaceAll(/[a-z]/g, (letter) => (random.chance(30) ? '.' : letter))
        .replaceAll(/[^a-z.]/g, '.');
    default:
      return random.pick(bad && random.chance(5) ? BAD : ODD);
  }
}

/** White space cannot be written in a pattern. */
function quote(text: string): string {
  return text.replaceAll(/[.*+?()[\]{}|^$\\]/g, (character) => `\\${character}`).replaceAll(/\s/g, '.');
}
