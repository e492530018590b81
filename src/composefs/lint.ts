/**
 * What will make digests of a tree disagree later: between releases of bootc, between layers and a directory, or
 * between programs. Nothing here changes a digest of today.
 */
import { isBootsealError, type BootsealError } from '../errors.ts';
import { EPOCHS, transformForEpoch, type TreeSource } from './epochs.ts';
import { lookup, walkTree, type Tree, type TreeNode } from './tree.ts';

/** `error`: a digest that some release refuses, or computes otherwise. `warning`: one that may come out otherwise. */
export type LintSeverity = 'error' | 'warning';

export interface LintFinding {
  readonly severity: LintSeverity;
  readonly code: `digest-lint/${string}`;
  /** One line. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
  /** Paths that it is about, all counted, the first few given: with a leading slash, one character a byte. */
  readonly count: number;
  readonly paths: readonly string[];
}

const SHOWN = 5;

/** composefs-rs reads no dump with a longer one. */
const MAX_DUMP_SYMLINK = 1024;
/** Owners that a user namespace does not map appear as this. */
const OVERFLOW_ID = 65_534;

interface Rule {
  readonly severity: LintSeverity;
  readonly code: LintFinding['code'];
  readonly message: string;
  readonly hint: string;
  /** Undefined: everywhere. */
  readonly source?: TreeSource;
  readonly applies: (node: TreeNode, path: string) => boolean;
}

const RULES: readonly Rule[] = [
  {
    severity: 'error',
    code: 'digest-lint/whiteout-name',
    message:
      'a name that starts with .wh. vanishes when the directory becomes a layer, and takes another file with it',
    hint: 'remove it: layers were unpacked here without being applied',
    applies: (_, path) => path.startsWith('.wh.', path.lastIndexOf('/') + 1),
  },
  {
    severity: 'warning',
    code: 'digest-lint/whiteout-device',
    message: 'a character device 0:0 means a deleted file to overlayfs, and composefs has to escape it',
    hint: 'remove it, or install the image with the tool that made it',
    applies: (node) => node.kind === 'character' && node.rdev === 0,
  },
  {
    severity: 'warning',
    code: 'digest-lint/user-xattrs',
    message:
      'user.* attributes are part of digests of layers before bootc 1.16.4 and of --xattrs keep-user only',
    hint: 'remove them in the build: setfattr -x NAME FILE',
    applies: ({ stat }) => hasXattr(stat.xattrs, (name) => name.startsWith('user.')),
  },
  {
    severity: 'warning',
    code: 'digest-lint/other-xattrs',
    message: 'these attributes are part of digests of layers before bootc 1.16.4 and of no others',
    hint: 'remove them in the build: setfattr -x NAME FILE',
    applies: ({ stat }) =>
      hasXattr(
        stat.xattrs,
        (name) => !name.startsWith('user.') && name !== 'security.capability' && name !== 'security.selinux',
      ),
  },
  {
    severity: 'warning',
    code: 'digest-lint/negative-time',
    message:
      'a time before 1970: composefs-rs writes a dump of it that it cannot read, and layers in PAX format cannot hold it',
    hint: 'touch -d @0 FILE in the build',
    applies: ({ stat }) => stat.mtime.seconds < 0n,
  },
  {
    severity: 'warning',
    code: 'digest-lint/long-symlink',
    message: `a symbolic link of over ${MAX_DUMP_SYMLINK} bytes: composefs-rs writes a dump of it that it cannot read`,
    hint: 'shorten the target',
    applies: (node) => node.kind === 'symlink' && node.target.length > MAX_DUMP_SYMLINK,
  },
  {
    severity: 'warning',
    code: 'digest-lint/fractional-time',
    message:
      'times with fractions of a second: part of the digest since bootc 1.16.4, and lost by tools that store whole seconds',
    hint: 'build with SOURCE_DATE_EPOCH and --timestamp, or digest the layers and not a directory',
    applies: ({ stat }) => stat.mtime.nanos !== 0,
  },
  {
    severity: 'warning',
    code: 'digest-lint/socket',
    message: 'a socket is part of the digest of a directory and cannot be in a layer',
    hint: 'remove it: some program is or was running here',
    applies: ({ kind }) => kind === 'socket',
  },
  {
    severity: 'warning',
    code: 'digest-lint/unmapped-owner',
    message: `an owner of ${OVERFLOW_ID} is what a user namespace shows for one that it does not map`,
    hint: 'read the directory as the user who mounted it, for example with podman unshare',
    source: 'directory',
    applies: ({ stat }) => stat.uid === OVERFLOW_ID || stat.gid === OVERFLOW_ID,
  },
];

/**
 * Errors first. `source` is where the tree comes from: some of it matters to one kind only. The tree has had no
 * transform.
 */
export function lintTree(tree: Tree, source: TreeSource): LintFinding[] {
  const findings = [
    ...layoutFindings(tree),
    ...bootTimes(tree),
    ...policyFindings(tree),
    ...ownerFindings(tree, source),
  ];
  if (findings.every(({ severity }) => severity !== 'error')) findings.push(...refusals(tree, source));
  findings.push(...ruleFindings(tree, source));
  return findings.sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
}

/** A refusal while the layers were applied, as a finding: no tree was made. */
export function lintRefusal(error: BootsealError): LintFinding {
  const reason = error.where === undefined ? error.message : `${error.message} (${error.where})`;
  const common = { severity: 'error', count: 1, paths: [] } as const;
  if (error.code === 'layer/missing-parent') {
    return {
      ...common,
      code: 'digest-lint/implicit-parent',
      message: `a layer leaves a directory out that its files are in: ${reason}`,
      hint: 'composefs-rs refuses such a layer, and other tools make the directory up with the time of unpacking: build it with entries for all parents',
    };
  }
  return {
    ...common,
    code: 'digest-lint/refused',
    message: `no digest can be had: ${reason}`,
    hint: error.hint ?? `see ${error.code}`,
  };
}

function ruleFindings(tree: Tree, source: TreeSource): LintFinding[] {
  const rules = RULES.filter((rule) => rule.source === undefined || rule.source === source);
  const found = rules.map(() => ({ count: 0, paths: [] as string[] }));
  walkTree(tree, (path, node) => {
    rules.forEach((rule, index) => {
      if (!rule.applies(node, path)) return;
      const entry = found[index];
      entry.count += 1;
      if (entry.paths.length < SHOWN) entry.paths.push(`/${path}`);
    });
  });
  return rules.flatMap(({ severity, code, message, hint }, index) =>
    found[index].count === 0 ? [] : [{ severity, code, message, hint, ...found[index] }],
  );
}

/** What every bootable image has. */
function layoutFindings(tree: Tree): LintFinding[] {
  const missing = ['usr', 'boot', 'sysroot'].filter(
    (name) => tree.root.children.get(name)?.kind !== 'directory',
  );
  const run = tree.root.children.get('run');
  if (run !== undefined && run.kind !== 'directory') missing.push('run');
  if (missing.length === 0) return [];
  return [
    finding(
      'error',
      'digest-lint/missing-directory',
      'a bootable image has this directory, and every release of bootc refuses one without',
      `mkdir -p ${missing.map((name) => `/${name}`).join(' ')} in the build`,
      missing,
    ),
  ];
}

function bootTimes(tree: Tree): LintFinding[] {
  const usr = tree.root.children.get('usr');
  if (usr === undefined) return [];
  const wrong = ['boot', 'sysroot'].filter((name) => {
    const node = tree.root.children.get(name);
    return node !== undefined && node.stat.mtime.nanos !== usr.stat.mtime.nanos;
  });
  if (wrong.length === 0) return [];
  return [
    finding(
      'error',
      'digest-lint/boot-nanoseconds',
      'nanoseconds that are not those of /usr: the next release of composefs-rs takes those, and computes another digest',
      'touch -d @0 /usr /boot /sysroot as the last step of the build',
      wrong,
    ),
  ];
}

/** composefs-rs follows no link to a policy within an image, and leads itself astray in a directory. */
function policyFindings(tree: Tree): LintFinding[] {
  const places = ['etc', 'etc/selinux', 'etc/selinux/config'];
  const links = places.filter((path) => lookup(tree, path)?.kind === 'symlink');
  if (links.length === 0) return [];
  return [
    finding(
      'error',
      'digest-lint/policy-symlink',
      'the SELinux policy lies behind a symbolic link: digests of layers refuse it, and digests of directories may follow it out of the tree',
      'replace the link with what it leads to',
      links,
    ),
  ];
}

function ownerFindings(tree: Tree, source: TreeSource): LintFinding[] {
  const usr = tree.root.children.get('usr');
  if (source !== 'directory' || usr === undefined || usr.stat.uid === 0) return [];
  return [
    finding(
      'error',
      'digest-lint/owner',
      `/usr belongs to user ${usr.stat.uid}: whoever unpacked this tree could not keep its owners`,
      'digest the image itself, or unpack it as root or with podman unshare',
      ['usr'],
    ),
  ];
}

/** What some epoch refuses altogether. */
function refusals(tree: Tree, source: TreeSource): LintFinding[] {
  const byMessage = new Map<string, { error: BootsealError; epochs: string[] }>();
  for (const epoch of EPOCHS) {
    try {
      transformForEpoch(tree, epoch, source);
    } catch (error) {
      if (!isBootsealError(error)) throw error;
      const known = byMessage.get(error.message);
      if (known === undefined) byMessage.set(error.message, { error, epochs: [epoch.name] });
      else known.epochs.push(epoch.name);
    }
  }
  return [...byMessage.values()].map(({ error, epochs }) => ({
    ...lintRefusal(error),
    message: `${lintRefusal(error).message}: refused by ${epochs.join(', ')}`,
  }));
}

function finding(
  severity: LintSeverity,
  code: LintFinding['code'],
  message: string,
  hint: string,
  names: readonly string[],
): LintFinding {
  return {
    severity,
    code,
    message,
    hint,
    count: names.length,
    paths: names.map((name) => `/${name}`),
  };
}

function hasXattr(xattrs: ReadonlyMap<string, Uint8Array>, test: (name: string) => boolean): boolean {
  if (xattrs.size === 0) return false;
  for (const name of xattrs.keys()) if (test(name)) return true;
  return false;
}
