/** registries.d: containers-registries.d(5). */
export type { RegistriesConfig, RegistriesFile, Section } from './config.ts';
export {
  lookasideBase,
  lookasideStagingBase,
  mergeRegistriesFiles,
  useSigstoreAttachments,
  type Setting,
} from './lookup.ts';
export { parseRegistriesFile } from './reader.ts';
export { encodeAttachmentsFile } from './writer.ts';
