/** `bootseal uki inspect FILE`: sections, sizes, hashes and texts, as `ukify inspect` shows them. */
import { escapeText } from '../../bytes/printable.ts';
import type { UkiInfo, UkiSectionInfo } from '../../uki/inspect.ts';
import { defineCommand, text, type Command, type NoFlags } from '../command.ts';

export const command: Command = defineCommand<NoFlags, [file: string]>({
  description:
    'Shows what is in a UKI, an addon or a profile. The signature is not looked at: see uki verify.',
  flags: {},
  args: [{ parse: text, placeholder: 'FILE', brief: 'PE file' }],
  async run(_context, _flags, file) {
    const { readBootFile } = await import('../../stores/boot-file.ts');
    const { inspectUki, shownText } = await import('../../uki/inspect.ts');
    const info = inspectUki(await readBootFile(file), { anyLayout: true });
    const show = (section: UkiSectionInfo): ShownSection => ({
      name: section.name,
      size: section.size,
      sha256: section.sha256,
      text: shownText(section),
    });
    return {
      ok: true,
      text: [...info.sections, ...info.profiles.flatMap(({ sections }) => sections)]
        .flatMap((section) => sectionLines(show(section)))
        .join('\n'),
      json: { file, ...inspectJson(info, show) },
    };
  },
});

interface ShownSection {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly text: string | undefined;
}

function sectionLines({ name, size, sha256, text: shown }: ShownSection): string[] {
  const lines = [`${escapeText(name)}:`, `  size: ${size} bytes`, `  sha256: ${sha256}`];
  if (shown === undefined) return lines;
  const body = shown.replace(/\n+$/, '').split('\n');
  return [...lines, '  text:', ...body.map((line) => (line === '' ? '' : `    ${escapeText(line)}`))];
}

/** ukify's shape: an object by section name; `.dtbauto` and `.efifw` are lists; `_profiles` has one object each. */
function inspectJson(
  info: UkiInfo,
  show: (section: UkiSectionInfo) => ShownSection,
): Record<string, unknown> {
  const profiles = info.profiles.map(({ sections }) => byName(sections.map(show)));
  return {
    ...byName(info.sections.map(show)),
    ...(profiles.length === 0 ? {} : { _profiles: profiles }),
  };
}

function byName(sections: readonly ShownSection[]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const { name, size, sha256, text: shown } of sections) {
    const value = { size, sha256, ...(shown === undefined ? {} : { text: shown }) };
    const known = object[name];
    if (name !== '.dtbauto' && name !== '.efifw') object[name] = value;
    else object[name] = Array.isArray(known) ? [...(known as unknown[]), value] : [value];
  }
  return object;
}
