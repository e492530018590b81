/**
 * node scripts/error-codes.mjs           writes the tables of docs/errors.md from the sources
 * node scripts/error-codes.mjs --check   exit 1 when a code is missing there, or no longer exists
 *
 * A code is a string literal `area/what`. What it means is the message beside it; the text about each area is written
 * by hand, in this file.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const document = `${root}docs/errors.md`;

/** @type {Readonly<Record<string, string>>} */
const AREAS = {
  auth: 'Credentials: auth.json files and credential helpers.',
  authenticode: 'Signatures of UEFI programs.',
  authvar: 'Authenticated UEFI variables (`.auth` files).',
  'blob-hasher': 'The thread that hashes large blobs.',
  bundle: 'Sigstore bundles, as cosign 3 writes them.',
  'bundle-policy': 'bundles.json, bootseal’s own rules for bundles.',
  bytes: 'Bytes read beyond the end of what is there.',
  certificate: 'Certificate files.',
  composefs: 'What the layers would give as a file system, and rules that bootseal does not apply yet.',
  'containers-storage': 'podman’s store of images.',
  copy: 'Copying an image.',
  cosign: 'Keys, payloads and attachments in the format of cosign.',
  der: 'Distinguished Encoding Rules, the bytes of certificates, keys and signatures.',
  digest: 'What a digest is asked of.',
  'digest-lint': 'What will make digests disagree later.',
  dir: 'Images in a `dir:` folder.',
  'docker-archive': 'Images in a `docker-archive:` file.',
  dump: 'The text form of a composefs tree.',
  erofs: 'EROFS images.',
  file: 'Files of this machine.',
  fsverity: 'fs-verity digests.',
  getfattr: 'What the program getfattr says.',
  gpg: 'Signing by the gpg of the user.',
  guid: 'Globally unique identifiers.',
  gzip: 'gzip streams.',
  'hash-pool': 'The threads that compute digests.',
  hex: 'Hexadecimal text.',
  host: 'This machine as a bootc host.',
  image: 'What an image consists of.',
  internal: 'A mistake in bootseal itself.',
  json: 'JSON, read strictly: one meaning or none.',
  kargs: 'Kernel arguments in `/usr/lib/bootc/kargs.d`.',
  key: 'Key files.',
  layer: 'What a layer says, while its files are stacked.',
  'layer-decoder': 'The thread that decompresses layers.',
  lookaside: 'Look-aside stores of signatures.',
  mount: 'Mounting an image of a composefs repository.',
  oci: 'OCI image documents, layouts and archives.',
  openpgp: 'OpenPGP keyrings and messages.',
  pe: 'Portable Executable files: kernels, stubs, boot loaders, UKIs.',
  pem: 'PEM text.',
  pkcs7: 'Signed data inside Authenticode signatures.',
  policy: 'policy.json, see containers-policy.json(5).',
  reference: 'Image names.',
  'registries-conf': 'registries.conf, see containers-registries.conf(5).',
  'registries-d': 'registries.d, see containers-registries.d(5).',
  registry: 'Talking to a registry.',
  repo: 'Composefs repositories, as bootc and cfsctl keep them.',
  seal: 'Sealing an image, and checking a seal.',
  siglist: 'EFI signature lists.',
  sign: 'Signing an image.',
  splitstream: 'Split streams of a composefs repository.',
  statement: 'in-toto statements.',
  store: 'Reading and writing images, wherever they are.',
  tar: 'tar archives, as layers are.',
  tarsplit: 'tar-split files of podman’s store.',
  tree: 'A directory of this machine, read as an image.',
  trust: 'What a policy says about an image. These are verdicts.',
  'trust-files': 'Keys and settings that a policy names.',
  'trust-init': 'Writing the files that make a machine trust a repository.',
  uki: 'Unified kernel images.',
  usage: 'The command line itself.',
  varstore: 'UEFI variable stores.',
  verify: 'Verifying.',
  x509: 'Certificates.',
  zstd: 'zstd streams.',
  'zstd-chunked': 'Tables of contents of zstd:chunked layers.',
};

/** Where the message is made of parts that no one place holds. */
/** @type {Readonly<Record<string, string>>} */
const MEANINGS = {
  'authenticode/unreadable': 'the file cannot be understood as a signed program',
  'oci/bad-archive': 'the tar archive is not an OCI image archive',
  'composefs/bad-dump': 'the dump text cannot be understood',
  'layer-decoder/thread': 'the decoding thread ended unexpectedly',
  'seal/no-uki': 'there is no UKI in /boot/EFI/Linux: the image is not sealed',
  'seal/other-image': 'the UKI names the tree of another image',
  'trust/malformed-payload': 'what was signed is not a simple-signing payload',
  'certificate/unreadable': 'the certificate file cannot be read',
  'cosign/bad-signature-file': 'a stored signature is not in the format of containers-signature(5)',
  'blob-hasher/thread': 'the hashing thread ended unexpectedly',
  'hash-pool/thread': 'a digest thread ended unexpectedly',
  'kargs/syntax': 'a file of kargs.d is not TOML, or has unknown keys',
  'key/unreadable': 'the key file cannot be read',
  'layer/bad-hardlink': 'a hard link to a path that is missing, or is no file',
  'layer/toc-digest': 'the table of contents of a layer is not the one that an annotation names',
  'layer/toc-differs': 'the table of contents of a layer says something else than its archive',
  'layer/toc-outside': 'an annotation points to data that the digest of the table of contents does not cover',
  'layer/toc-unreadable': 'the table of contents, or an annotation about it, cannot be used',
  'mount/failed': 'mount(8) refused; its words are in the message',
  'mount/no-verity': 'the image or its repository has no fs-verity, so the kernel could check nothing',
  'oci/bad-descriptor': 'a descriptor lacks a field, or holds one of the wrong kind',
  'oci/no-such-image': 'the layout holds no image of that name',
  'policy/unreadable': 'policy.json cannot be read',
  'registries-d/duplicate-key': 'a key appears twice',
  'registries-d/too-large': 'a file of registries.d is unreasonably large',
  'registries-d/unreadable': 'a file of registries.d cannot be read',
  'registry/denied': 'the registry forbids it to these credentials (403)',
  'registry/manifest-unknown': 'the registry has no such tag or digest',
  'registry/name-unknown': 'the registry has no such repository',
  'registry/not-found': 'the registry has nothing there (404)',
  'registry/rate-limited': 'the registry wants fewer requests (429), still after waiting',
  'registry/server-error': 'the registry failed (5xx), still after retries',
  'registry/too-large': 'an answer longer than such an answer may be',
  'registry/unauthorized': 'the registry wants credentials, or other ones (401)',
  'registry/unsupported': 'the registry does not support what was asked for',
  'siglist/truncated': 'a signature list ends early',
  'tar/truncated': 'the archive ends early',
  'trust/not-verified': 'the policy accepts the image unverified, and a verified one was asked for',
  'trust/too-many-signatures': 'more signatures than are looked at for one image',
  'usage/options': 'options or arguments that are unknown, missing or do not go together',
  'auth/helper-failed': 'a credential helper failed; its words are in the message',
  'auth/malformed': 'a credentials file is not what containers-auth.json(5) describes',
  'bundle-policy/missing-key': 'a requirement of bundles.json lacks a member that it needs',
  'bundle-policy/one-key-source': 'a requirement names no key, or keys in several ways',
  'bundle-policy/type': 'a member of bundles.json is of the wrong type, or empty',
  'bundle-policy/unreadable': 'bundles.json cannot be read',
  'bundle/malformed': 'a bundle, or what is in it, cannot be understood',
  'composefs/bad-image': 'composefs would not have written such a tree',
  'composefs/rules-differ': 'C mkcomposefs and composefs-rs would make different images',
  'containers-storage/malformed': 'the store is damaged',
  'containers-storage/no-store': 'there is no store in that folder',
  'containers-storage/no-such-image': 'the store holds no image of that name',
  'copy/no-policy': 'the policy was not asked: --insecure-policy',
  'cosign/bad-rekor-entry': 'a log entry beside a signature cannot be understood',
  'digest/not-a-root': 'neither an image nor the directory of one',
  'docker-archive/malformed': 'no archive of docker save, or a damaged one',
  'docker-archive/no-such-image': 'the archive holds no image of that name or place',
  'dump/malformed': 'a line of a dump cannot be understood',
  'file/cannot-write': 'a file or folder cannot be written',
  'file/unreadable': 'a file cannot be read, or is no regular file',
  'gpg/failed': 'gpg failed; its words are in the message',
  'json/syntax': 'the text is not JSON',
  'key/not-private': 'the file holds no private key',
  'lookaside/bad-list': 'what the registry says of its signatures cannot be understood',
  'lookaside/unreadable': 'a look-aside store cannot be read',
  'oci/bad-config': 'the configuration of the image cannot be understood',
  'oci/bad-layout': 'the folder or archive is not in OCI layout',
  'openpgp/malformed-packet': 'an OpenPGP packet cannot be understood',
  'openpgp/unsupported-version': 'an OpenPGP version that is not read',
  'policy/accepts-anything': 'a requirement that everything passes',
  'policy/all-must-pass': 'a note: all requirements of a scope have to pass, not one of them',
  'policy/attachments-off': 'sigstoreSigned asks for attachments, and no registries.d file turns them on',
  'policy/dead-scope': 'a scope that no image is ever looked up under',
  'policy/exception': 'a note: a scope that asks for less than the one above it',
  'policy/expired': 'a certificate or key that the policy names has expired',
  'policy/host-and-port': 'a scope without the port, or with another, is another registry',
  'policy/identity': 'signedIdentity wants a name of another form',
  'policy/key-type': 'a keyType that does not exist',
  'policy/no-effect': 'a member that changes nothing',
  'policy/not-yet-valid': 'a certificate that the policy names is not valid yet',
  'policy/redundant-scope': 'a scope that asks for what the one above it asks for',
  'policy/relative-path': 'a key file by a relative name, found in one folder only',
  'policy/syntax': 'policy.json is not JSON',
  'policy/type': 'a value of policy.json is of the wrong type',
  'policy/unknown-transport': 'a transport that no image has',
  'policy/unsupported-requirement':
    'a keyType that exists in the format and was never implemented: nothing can pass it',
  'registries-conf/unreadable': 'registries.conf cannot be read',
  'registries-d/type': 'a value of registries.d is of the wrong type',
  'registry/bad-certs': 'a folder of certs.d holds half of a pair, or what is no certificate',
  'registry/bad-reply': 'the registry says something that cannot be right',
  'registry/too-many-referrers': 'more refers to the image than is looked at',
  'registry/unexpected-status': 'the registry refused the request',
  'registry/upload-lost': 'the registry has lost an upload',
  'repo/bad-stream': 'a split stream of the repository does not hold what it should',
  'seal/base-unchecked': 'the base image was not verified before it was sealed',
  'seal/bootloader-unsigned': 'the boot loader of the image is not signed',
  'seal/digest-mismatch': 'the UKI names another tree than the layers give',
  'seal/other-epoch': 'the UKI names the digest by the rules of another release',
  'sign/attachments-off': 'readers with the registries.d of this machine would not look for the signature',
  'sign/instances-not-signed': 'the index is signed and its images are not',
  'sign/not-portable': 'a kind of key that not every tool treats alike',
  'sign/tool-refuses': 'a tool that will not accept what was signed',
  'statement/malformed': 'an in-toto statement cannot be understood',
  'store/unsupported-transport': 'images of that transport cannot be read, or cannot be written',
  'tree/cannot-read': 'a file of the tree cannot be read',
  'tree/unreadable': 'this user may not read all of the tree',
  'trust-files/key-unreadable': 'a key file cannot be read',
  'trust-init/exists': 'a file that would be written exists, with other content',
  'trust/bad-certificate':
    'the certificate does not lead to the roots of the policy, or was not valid when it counts',
  'trust/bad-evidence': 'what a bundle brings as proof (log entry, timestamp, certificate log) does not hold',
  'trust/bad-signature':
    'the signature does not fit the key or the text, or is of a kind that is not accepted',
  'trust/identity-mismatch': 'the signature names another image',
  'trust/index-not-signed': 'the images of the index are signed and the index is not',
  'trust/key-unreadable': 'a key file that the policy names cannot be read',
  'trust/malformed-signature': 'the signature cannot be understood',
  'trust/no-rekor-entry': 'the policy wants signatures that a log has seen',
  'trust/no-signature': 'a signature was required, and there is none',
  'trust/other-signer': 'a good certificate, and somebody else’s',
  'trust/rejected': 'the policy rejects every image of this name',
  'trust/secret-key': 'a secret key was given as the keyring',
  'trust/unverified': 'accepted without a signature: the policy takes anything',
  'uki/config': 'a line of a configuration file cannot be understood',
  'usage/interrupted': 'no passphrase was given',
  'verify/offline': '--offline, and a look-aside store of registries.d is on the network',
  'x509/bad-signature': 'a certificate is not signed by the key that it should be',
  'x509/expired': 'a certificate was not valid at the time that counts',
  'x509/unknown-authority': 'the certificate does not lead to an authority that is trusted',
};

/** Literals that look like codes: media types, paths. */
const NOT_CODES = new Set(['containers/storage', 'etc/containers', 'etc/selinux', 'nacl/secretbox']);
const NOT_AREAS = new Set(['application', 'text', 'linux', 'usr', 'var', 'boot', 'run']);

const LITERAL = /['`]([a-z0-9-]+)\/([a-z0-9]+(?:-[a-z0-9]+)*)['`]/g;
/** Files that put the area before each of their codes themselves: `pe/${what}`. */
const PREFIX = /BootsealError\(\s*`([a-z0-9-]+)\/\$\{/;
const PREFIXED = /\b(?:fail|malformed)\(\s*'([a-z0-9-]+)'/g;
const STRING = /'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`/g;
/** How far from its code a message may stand. */
const NEAR = 240;

/** @returns {Map<string, string>} code and message, sorted by code */
function codesOfSources() {
  /** @type {Map<string, string>} */
  const found = new Map();
  /** @type {(code: string, message: string) => void} */
  const add = (code, message) => void (found.get(code) || found.set(code, message));
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const texts = new Map(files.sort().map((file) => [file, codeOf(file)]));
  for (const [file, text] of texts) {
    for (const match of text.matchAll(LITERAL)) {
      const [whole, area, what] = match;
      const code = `${area}/${what}`;
      if (NOT_CODES.has(code) || NOT_AREAS.has(area)) continue;
      add(code, messageAfter(text, match.index + whole.length));
    }
    const area = PREFIX.exec(text)?.[1];
    if (area === undefined) continue;
    const folder = dirname(file);
    for (const [sibling, code] of texts) {
      if (dirname(sibling) !== folder) continue;
      for (const match of code.matchAll(PREFIXED)) {
        add(`${area}/${match[1]}`, messageAfter(code, match.index + match[0].length));
      }
    }
  }
  // formats/policy-json reports what the JSON reader found under the name of the file that people know.
  for (const [code, message] of found) if (code.startsWith('json/')) add(`policy/${code.slice(5)}`, message);
  return new Map([...found].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** @param {string} file */
function codeOf(file) {
  const text = readFileSync(`${root}src/${file}`, 'utf8');
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*(?:\/\/|import\b|export \* ).*$/gm, '');
}

/**
 * The first string of several words behind a code, before the next code.
 * @param {string} text
 * @param {number} start
 */
function messageAfter(text, start) {
  const near = text.slice(start, start + NEAR);
  for (const [whole, single, double, template] of near.matchAll(STRING)) {
    if (/^['`][a-z0-9-]+\/[a-z0-9-]+['`]$/.test(whole)) return '';
    const words = single ?? double ?? template;
    if (/\S \S/.test(words)) return words.replaceAll(/\$\{[^}]*\}+/g, '…');
  }
  return '';
}

/** @param {ReadonlyMap<string, string>} codes */
function tables(codes) {
  /** @type {string[]} */
  const lines = [];
  let last = '';
  for (const [code, message] of codes) {
    const area = code.slice(0, code.indexOf('/'));
    if (area !== last) {
      if (AREAS[area] === undefined) console.log(`AREAS of scripts/error-codes.mjs lacks ${area} (${code})`);
      lines.push('', `## ${area}`, '', AREAS[area] ?? '', '', '| code | says |', '| --- | --- |');
      last = area;
    }
    lines.push(
      `| \`${code}\` | ${(MEANINGS[code] ?? message).replaceAll('|', '\\|').replaceAll('\\`', '`').replaceAll("\\'", "'")} |`,
    );
  }
  return lines.join('\n').trim();
}

const INTRODUCTION = `# Errors

Every error has a code, \`area/what\`. Codes are stable: scripts may match on them, in \`--json\` as \`error.code\` and as
\`steps[].code\`. The words beside them are for people and may change; an ellipsis stands for what the error is about.

Exit status: 1 when the verdict is no (something was refused, or has been tampered with), 2 for wrong usage, 3 when
nothing could be decided (network, missing or unreadable file, unsupported). The same code can come with status 1 or 3,
depending on whether the bytes had been vouched for.

This file is written by \`node scripts/error-codes.mjs\`; \`npm test\` checks that no code is missing.
`;

const codes = codesOfSources();
if (process.argv.includes('--check')) {
  const documented = new Set(
    [...readFileSync(document, 'utf8').matchAll(/^\| `([^`]+)`/gm)].map(([, code]) => code),
  );
  const missing = [...codes.keys()].filter((code) => !documented.has(code));
  const gone = [...documented].filter((code) => !codes.has(code));
  for (const code of missing) console.log(`docs/errors.md lacks ${code}`);
  for (const code of gone) console.log(`docs/errors.md has ${code}, which no source does`);
  if (missing.length + gone.length > 0) {
    console.log('mend it: node scripts/error-codes.mjs');
    process.exitCode = 1;
  }
} else writeFileSync(document, `${INTRODUCTION}\n${tables(codes)}\n`);
