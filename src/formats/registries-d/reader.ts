/** One file of registries.d: YAML → sections. Unknown keys are ignored, as the peer ignores them. */
import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { MAX_REGISTRIES_FILE_SIZE, type RegistriesFile, type Section } from './config.ts';
import { booleanValue, mapEntries, textValue, type YamlReader } from './yaml-nodes.ts';

/**
 * Throws `registries-d/syntax`, `registries-d/type`, `registries-d/duplicate-key`, `registries-d/too-complex`,
 * `registries-d/too-large`, with `where` = `file:line:column`. Any of them makes every image of docker:// unreadable.
 */
export function parseRegistriesFile(bytes: Uint8Array, file: string): RegistriesFile {
  if (bytes.length > MAX_REGISTRIES_FILE_SIZE) {
    const message = `${file}: ${bytes.length} bytes exceed the limit of ${MAX_REGISTRIES_FILE_SIZE}`;
    throw new BootsealError('registries-d/too-large', message, { where: file });
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    throw new BootsealError('registries-d/syntax', `parsing ${file}: yaml: invalid Unicode`, { where: file });
  }
  const reader = openYaml(text, file);
  if (reader === undefined) return { file, docker: new Map() };
  const top = mapEntries(reader, reader.document.contents, 'docker.registryConfiguration') ?? new Map();
  const docker = new Map<string, Section>();
  const namespaces = mapEntries(reader, top.get('docker') ?? null, 'map[string]docker.registryNamespace');
  for (const [namespace, node] of namespaces ?? [])
    docker.set(namespace, readSection(reader, node) ?? EMPTY_SECTION);
  const defaultDocker = readSection(reader, top.get('default-docker') ?? null);
  return { file, ...(defaultDocker && { defaultDocker }), docker };
}

/** The first document of the text; undefined when there is none. */
function openYaml(text: string, file: string): YamlReader | undefined {
  const lines = new LineCounter();
  // Our own check for duplicates is linear; the package's compares each pair of keys.
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: false,
    version: '1.2',
    logLevel: 'silent',
  });
  const document = ([...documents] as Document.Parsed[])[0];
  if (document === undefined) return undefined;
  const error = document.errors[0];
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const message = `parsing ${file}: yaml: line ${line}: ${error.message.split('\n')[0]?.replace(/ at line .*$/, '')}`;
    throw new BootsealError('registries-d/syntax', message, {
      offset: error.pos[0],
      where: `${file}:${line}:${col}`,
    });
  }
  return { document, file, lineAt: (offset) => lines.linePos(offset), visits: 0 };
}

const EMPTY_SECTION: Section = { lookaside: '', lookasideStaging: '', sigstore: '', sigstoreStaging: '' };

function readSection(reader: YamlReader, node: Parameters<typeof mapEntries>[1]): Section | undefined {
  const entries = mapEntries(reader, node, 'docker.registryNamespace');
  if (entries === undefined) return undefined;
  const text = (key: string): string => textValue(reader, entries.get(key) ?? null);
  const attachments = booleanValue(reader, entries.get('use-sigstore-attachments') ?? null);
  return {
    lookaside: text('lookaside'),
    lookasideStaging: text('lookaside-staging'),
    sigstore: text('sigstore'),
    sigstoreStaging: text('sigstore-staging'),
    ...(attachments !== undefined && { useSigstoreAttachments: attachments }),
  };
}
