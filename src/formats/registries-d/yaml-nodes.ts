/**
 * The few YAML values that registries.d has, taken from the syntax tree with the types of Go's yaml.v3, so that
 * aliases are never expanded into memory and every error has a line.
 */
import { isAlias, isMap, isScalar, isSeq, type Document, type Node, type Pair, type YAMLMap } from 'yaml';
import { BootsealError } from '../../errors.ts';

/** Mapping entries looked at for one file, aliases and merges included: a bomb of references ends here. */
const MAX_VISITS = 200_000;

export interface YamlReader {
  readonly document: Document.Parsed;
  readonly file: string;
  readonly lineAt: (offset: number) => { readonly line: number; readonly col: number };
  visits: number;
}

type YamlNode = Node | null;

/** The entries of a mapping by key, `<<` merges included and overridden by the mapping's own. Null is an empty one. */
export function mapEntries(
  reader: YamlReader,
  node: YamlNode,
  goType: string,
): Map<string, YamlNode> | undefined {
  const target = resolve(reader, node);
  if (isNullNode(target)) return undefined;
  if (!isMap(target)) throw cannot(reader, target, goType);
  const entries = new Map<string, YamlNode>();
  const places = new Map<string, number>();
  const merged: YamlNode[] = [];
  for (const pair of target.items as Pair<YamlNode, YamlNode>[]) {
    countVisit(reader);
    const key = resolve(reader, pair.key);
    if (!isScalar(key))
      throw fail(reader, key, 'registries-d/type', `cannot unmarshal ${tagOf(key)} into string`);
    const name = scalarText(key);
    if (name === '<<' && key.type === 'PLAIN') {
      merged.push(pair.value);
      continue;
    }
    const line = reader.lineAt(key.range?.[0] ?? 0).line;
    const earlier = places.get(name);
    if (earlier !== undefined) {
      const message = `mapping key ${JSON.stringify(name)} already defined at line ${earlier}`;
      throw fail(reader, key, 'registries-d/duplicate-key', message);
    }
    places.set(name, line);
    entries.set(name, pair.value);
  }
  for (const source of merged) mergeInto(reader, source, entries, [target]);
  return entries;
}

function mergeInto(
  reader: YamlReader,
  node: YamlNode,
  entries: Map<string, YamlNode>,
  within: readonly YAMLMap[],
): void {
  const target = resolve(reader, node);
  if (isSeq(target)) {
    for (const item of target.items) mergeInto(reader, item as YamlNode, entries, within);
    return;
  }
  if (!isMap(target))
    throw fail(
      reader,
      target,
      'registries-d/type',
      'map merge requires map or sequence of maps as the value',
    );
  if (within.includes(target))
    throw fail(reader, target, 'registries-d/type', 'anchor value contains itself');
  for (const pair of target.items as Pair<YamlNode, YamlNode>[]) {
    countVisit(reader);
    const key = resolve(reader, pair.key);
    if (!isScalar(key)) throw cannot(reader, key, 'string');
    const name = scalarText(key);
    if (name === '<<' && key.type === 'PLAIN') mergeInto(reader, pair.value, entries, [...within, target]);
    else if (!entries.has(name)) entries.set(name, pair.value);
  }
}

/** Any scalar as it is written; null says nothing. */
export function textValue(reader: YamlReader, node: YamlNode): string {
  const target = resolve(reader, node);
  if (isNullNode(target)) return '';
  if (!isScalar(target)) throw cannot(reader, target, 'string');
  return scalarText(target);
}

/** YAML 1.2 booleans, and the words of 1.1 that yaml.v3 still takes where a boolean is wanted. */
export function booleanValue(reader: YamlReader, node: YamlNode): boolean | undefined {
  const target = resolve(reader, node);
  if (isNullNode(target)) return undefined;
  if (!isScalar(target)) throw cannot(reader, target, 'bool');
  const text = scalarText(target);
  if (target.type === 'PLAIN' && /^(?:true|True|TRUE)$/.test(text)) return true;
  if (target.type === 'PLAIN' && /^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^(?:y|Y|yes|Yes|YES|on|On|ON)$/.test(text)) return true;
  if (/^(?:n|N|no|No|NO|off|Off|OFF)$/.test(text)) return false;
  const shown = text.slice(0, 80);
  throw fail(reader, target, 'registries-d/type', `cannot unmarshal ${tagOf(target)} \`${shown}\` into bool`);
}

function resolve(reader: YamlReader, node: YamlNode): YamlNode {
  if (!isAlias(node)) return node;
  countVisit(reader);
  const target = node.resolve(reader.document);
  if (target === undefined) {
    // Found before values are looked at, and so without the words about them.
    const text = `parsing ${reader.file}: yaml: unknown anchor '${node.source}' referenced`;
    throw new BootsealError('registries-d/syntax', text, placeOf(reader, node));
  }
  return target;
}

function countVisit(reader: YamlReader): void {
  reader.visits += 1;
  if (reader.visits > MAX_VISITS) {
    throw new BootsealError('registries-d/too-complex', 'document contains excessive aliasing', {
      where: reader.file,
    });
  }
}

function isNullNode(node: YamlNode): boolean {
  return (
    node === null ||
    (isScalar(node) && node.type === 'PLAIN' && /^(?:|~|null|Null|NULL)$/.test(scalarText(node)))
  );
}

function scalarText(node: { readonly source?: string; readonly value: unknown }): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? '');
}

function tagOf(node: YamlNode): string {
  if (isMap(node)) return '!!map';
  if (isSeq(node)) return '!!seq';
  if (!isScalar(node)) return '!!null';
  const text = scalarText(node);
  if (node.type !== 'PLAIN') return '!!str';
  if (/^[-+]?[0-9]+$/.test(text)) return '!!int';
  return /^(?:true|True|TRUE|false|False|FALSE)$/.test(text) ? '!!bool' : '!!str';
}

function cannot(reader: YamlReader, node: YamlNode, goType: string): BootsealError {
  const value = isScalar(node) ? ` \`${scalarText(node).slice(0, 80)}\`` : '';
  return fail(reader, node, 'registries-d/type', `cannot unmarshal ${tagOf(node)}${value} into ${goType}`);
}

function fail(
  reader: YamlReader,
  node: YamlNode,
  code: `registries-d/${string}`,
  message: string,
): BootsealError {
  const { line, ...place } = placeOf(reader, node);
  const text = `parsing ${reader.file}: yaml: unmarshal errors:\n  line ${line}: ${message}`;
  return new BootsealError(code, text, place);
}

function placeOf(
  reader: YamlReader,
  node: YamlNode,
): { readonly line: number; readonly offset: number; readonly where: string } {
  const offset = node?.range?.[0] ?? 0;
  const { line, col } = reader.lineAt(offset);
  return { line, offset, where: `${reader.file}:${line}:${col}` };
}
