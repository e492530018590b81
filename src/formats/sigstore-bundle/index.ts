/** Bundles as cosign 3 attaches them to images. */
export { buildBundleArtifact, bundleLayer, mayBeBundle } from './artifact.ts';
export {
  BUNDLE_MEDIA_TYPE,
  COSIGN_SIGN_PREDICATE,
  type BundleSigner,
  type SigstoreBundle,
} from './format.ts';
export { parseBundle } from './reader.ts';
export { encodeKeyBundle, keyHint } from './writer.ts';
