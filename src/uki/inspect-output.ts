/** The two forms in which `ukify inspect` shows a file: text, and JSON by section name. */
import { escapeText } from '../bytes/printable.ts';
import { shownText, type UkiInfo, type UkiSectionInfo } from './inspect.ts';

export interface ShownSection {
  readonly size: number;
  readonly sha256: string;
  readonly text?: string;
}

/** An object by section name; `.dtbauto` and `.efifw` are lists; `_profiles` is a list with one object each. */
export type ShownSections = Record<string, ShownSection | ShownSection[] | ShownSections[]>;

const LISTS: ReadonlySet<string> = new Set(['.dtbauto', '.efifw']);

export function inspectJson(info: UkiInfo): ShownSections {
  const profiles = info.profiles.map(({ sections }) => byName(sections));
  return { ...byName(info.sections), ...(profiles.length === 0 ? {} : { _profiles: profiles }) };
}

/** Lines with a newline each; control characters of texts are escaped. */
export function inspectText(info: UkiInfo): string {
  const sections = [...info.sections, ...info.profiles.flatMap((profile) => profile.sections)];
  return sections
    .flatMap(sectionLines)
    .map((line) => `${line}\n`)
    .join('');
}

function byName(sections: readonly UkiSectionInfo[]): Record<string, ShownSection | ShownSection[]> {
  const object: Record<string, ShownSection | ShownSection[]> = {};
  for (const section of sections) {
    const text = shownText(section);
    const { name, size, sha256 } = section;
    const shown = { size, sha256, ...(text === undefined ? {} : { text }) };
    if (LISTS.has(name)) object[name] = [object[name] ?? [], shown].flat();
    else object[name] = shown;
  }
  return object;
}

function sectionLines(section: UkiSectionInfo): string[] {
  const lines = [`${section.name}:`, `  size: ${section.size} bytes`, `  sha256: ${section.sha256}`];
  const text = shownText(section);
  if (text === undefined) return lines;
  const body = text.trimEnd().split('\n');
  return [...lines, '  text:', ...body.map((line) => (line === '' ? '' : `    ${escapeLine(line)}`))];
}

/** A carriage return before the line end moves the cursor where it goes anyway. */
function escapeLine(line: string): string {
  return line.endsWith('\r') ? `${escapeText(line.slice(0, -1))}\r` : escapeText(line);
}
