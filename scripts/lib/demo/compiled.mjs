/**
 * What the demo shares with the tests, as `npm run build` and the test build have compiled it. Imported by computed
 * names, so that the type checker reads the sources and not the compiled files.
 */

/** @param {string} path below test/support */
const compiled = (path) => import(new URL(`../../../.build/test/support/${path}.js`, import.meta.url).href);

/** @type {typeof import('../../../test/support/registry.ts')} */
export const registry = await compiled('registry');
/** @type {typeof import('../../../test/support/layout.ts')} */
export const layout = await compiled('layout');
/** @type {typeof import('../../../test/support/tamper.ts')} */
export const tampering = await compiled('tamper');
/** @type {typeof import('../../../test/support/sample.ts')} */
export const sample = await compiled('sample');
