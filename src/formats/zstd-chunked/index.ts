/** zstd:chunked: where a layer keeps its table of contents, and what that says. */
export { ANNOTATIONS, ESTARGZ_ANNOTATION, MAX_TABLE } from './format.ts';
export {
  checkFooter,
  parseChunkedAnnotations,
  parseChunkedFooter,
  type ChunkedFooter,
  type ChunkedLayer,
  type Region,
} from './reader.ts';
export { parseTable, type ContentTable, type TableEntry } from './table.ts';
