/**
 * Why two trees that should be one differ. What disagrees between ways of making a tree follows patterns: each is
 * counted here, and those that were met are told in words, the most frequent first.
 */
import type { Difference } from './compare.ts';
import type { RegularFile, Stat, Time, TreeNode } from './tree.ts';

export interface Cause {
  /** Stable, for scripts. */
  readonly id: string;
  /** One sentence about `left` and `right`. */
  readonly text: string;
  /** Differences that it explains. */
  readonly count: number;
}

export interface CauseFinder {
  add(difference: Difference): void;
  /** Most frequent first. */
  causes(): Cause[];
}

type Side = 'left' | 'right';

/** What nobody maps: owners outside of a user namespace appear as this. */
const OVERFLOW_ID = 65_534;

export function createCauseFinder(): CauseFinder {
  const counts = new Map<string, { text: string; count: number }>();
  const rightTimes = oneValue<string>();
  const leftTimes = oneValue<string>();
  const owners = { left: oneValue<string>(), right: oneValue<string>() };
  let fileTimes = 0;
  let directoryTimes = 0;

  const note = (id: string, text: string): void => {
    const known = counts.get(id);
    if (known === undefined) counts.set(id, { text, count: 1 });
    else known.count += 1;
  };

  function add({ attribute, path, left, right, names }: Difference): void {
    if (attribute === 'presence') return presence(path, left, right);
    if (left === undefined || right === undefined) return;
    switch (attribute) {
      case 'mtime':
        return time(left, right);
      case 'owner':
        return owner(left.stat, right.stat);
      case 'mode':
        return mode(left.stat.mode, right.stat.mode);
      case 'hardlink':
        if (names === undefined) return;
        return names[0] === path ? hardlink('left', path, names[1]) : hardlink('right', path, names[0]);
      case 'type':
        return type(left, right);
      case 'size':
      case 'content':
        return content(left, right);
      case 'target':
        return target(left, right);
      case 'device':
        return;
      default:
        return xattr(attribute.slice('xattr '.length), left.stat, right.stat);
    }
  }

  function presence(path: string, left: TreeNode | undefined, right: TreeNode | undefined): void {
    const node = left ?? right;
    const [has, lacks] = left === undefined ? (['right', 'left'] as const) : (['left', 'right'] as const);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name.startsWith('.wh.')) {
      note(
        `whiteouts-${has}`,
        `${has} holds whiteout files: its layers were unpacked one over the other and not applied`,
      );
    } else if (node?.kind === 'character' || node?.kind === 'block') {
      note(
        `devices-${lacks}`,
        `${lacks} lacks device files: whoever unpacked it was not allowed to make them`,
      );
    } else if (node?.kind === 'socket') {
      note(
        `sockets-${has}`,
        `${has} holds sockets, which no layer can carry: it was walked while or after it was in use`,
      );
    } else if (/^(?:dev|proc|sys|run|tmp|var\/tmp|var\/cache|var\/log)\//.test(path)) {
      note(`runtime-${has}`, `${has} holds files of a running system or a build (/run, /tmp, /var/cache, …)`);
    } else if (/^(?:etc\/(?:resolv\.conf|hostname|hosts|mtab)|\.dockerenv|run\/\.containerenv)$/.test(path)) {
      note(`container-${has}`, `${has} holds files that a container engine puts into a running container`);
    } else {
      note(`only-${has}`, `files that only ${has} has: it was made of other layers, or at another time`);
    }
  }

  function time(left: TreeNode, right: TreeNode): void {
    const [a, b] = [left.stat.mtime, right.stat.mtime];
    if (a.seconds === b.seconds) {
      const [exact, whole] = b.nanos === 0 ? (['left', 'right'] as const) : (['right', 'left'] as const);
      if (a.nanos === 0 || b.nanos === 0) {
        note(
          `nanoseconds-${exact}`,
          `times have nanoseconds in ${exact} and none in ${whole}: ${exact} was walked as a directory, or its layers keep ` +
            `fractions of seconds; ${whole} came from layers that store whole seconds`,
        );
      } else
        note(
          'nanoseconds-both',
          'times differ within the second: the files were written at different moments',
        );
      return;
    }
    leftTimes.add(timeKey(a));
    rightTimes.add(timeKey(b));
    if (left.kind === 'directory') directoryTimes += 1;
    else fileTimes += 1;
  }

  function owner(left: Stat, right: Stat): void {
    owners.left.add(`${left.uid}:${left.gid}`);
    owners.right.add(`${right.uid}:${right.gid}`);
    for (const [side, stat] of [
      ['left', left],
      ['right', right],
    ] as const) {
      if (stat.uid !== OVERFLOW_ID && stat.gid !== OVERFLOW_ID) continue;
      note(
        `unmapped-${side}`,
        `files of ${side} belong to nobody (${OVERFLOW_ID}): it was read in a user namespace that does not map their owners`,
      );
    }
  }

  function mode(left: number, right: number): void {
    if ((left & 0o777) === (right & 0o777)) {
      const lost = (right & ~left & 0o7000) === 0 ? 'right' : 'left';
      note(
        `special-bits-${lost}`,
        `${lost} has lost set-uid, set-gid or sticky bits, as when files are copied or given another owner`,
      );
    } else if ((right & ~left) === 0 && (left & ~right & ~0o077) === 0) {
      note(
        'umask-right',
        'permissions of right are those of left less a umask: it was unpacked without keeping modes',
      );
    } else if ((left & ~right) === 0 && (right & ~left & ~0o077) === 0) {
      note(
        'umask-left',
        'permissions of left are those of right less a umask: it was unpacked without keeping modes',
      );
    } else note('modes', 'permissions were changed on one side');
  }

  function hardlink(whole: Side, path: string, first: string): void {
    if (path === first) return;
    note(
      `hardlinks-${whole}`,
      `names of one file are separate files in ${whole}: hardlinks were lost by a copy, or split by different labels`,
    );
  }

  function type(left: TreeNode, right: TreeNode): void {
    for (const [side, node, other] of [
      ['left', left, right],
      ['right', right, left],
    ] as const) {
      if (other.kind === 'symlink') {
        note(
          `followed-${side}`,
          `symbolic links of the other side are files or directories in ${side}: links were followed by a copy`,
        );
      } else if ((other.kind === 'character' || other.kind === 'block') && node.kind === 'regular') {
        note(
          `devices-${side}`,
          `${side} lacks device files: whoever unpacked it was not allowed to make them`,
        );
      }
    }
  }

  function content(left: TreeNode, right: TreeNode): void {
    if (left.kind !== 'regular' || right.kind !== 'regular') return;
    const [a, b] = [inlineText(left), inlineText(right)];
    if (a !== undefined && b !== undefined) {
      if (a.replaceAll('\r\n', '\n') === b.replaceAll('\r\n', '\n')) {
        note('line-ends', 'files differ in their line ends only: one side went through a conversion');
        return;
      }
      if (a.trimEnd() === b.trimEnd()) {
        note('final-newline', 'files differ in white space at their end only');
        return;
      }
    }
    note('content', 'files have other contents: another build, another version, or a change after the build');
  }

  function target(left: TreeNode, right: TreeNode): void {
    if (left.kind !== 'symlink' || right.kind !== 'symlink') return;
    for (const [side, a, b] of [
      ['left', left, right],
      ['right', right, left],
    ] as const) {
      if (a.target.length > b.target.length && b.target.startsWith('/') && a.target.endsWith(b.target)) {
        note(
          `prefixed-${side}`,
          `symbolic links of ${side} were rewritten to lead into the folder it was unpacked to`,
        );
        return;
      }
    }
    note('targets', 'symbolic links lead elsewhere');
  }

  function xattr(name: string, left: Stat, right: Stat): void {
    const lacks = left.xattrs.has(name) ? (right.xattrs.has(name) ? undefined : 'right') : 'left';
    if (name === 'security.selinux') {
      note(
        'labels',
        'SELinux labels differ: one side was made on a host with a policy; the boot transform replaces them all',
      );
    } else if (lacks === undefined) {
      note(`value-${name}`, `values of ${name} differ`);
    } else if (name === 'security.capability') {
      note(
        `capabilities-${lacks}`,
        `${lacks} lacks file capabilities: it was unpacked without privilege or without extended attributes`,
      );
    } else {
      const kind = name.startsWith('user.') ? 'user.*' : name;
      note(
        `missing-${kind}-${lacks}`,
        `${lacks} lacks extended attributes ${kind}: a copy or an archive left them out`,
      );
    }
  }

  function timeCauses(): Cause[] {
    const count = fileTimes + directoryTimes;
    if (count === 0) return [];
    for (const [side, times] of [
      ['left', leftTimes],
      ['right', rightTimes],
    ] as const) {
      if (times.only === undefined || count < 2) continue;
      const text = `every differing time of ${side} is ${times.only}: its build clamped or replaced times (SOURCE_DATE_EPOCH, --timestamp)`;
      return [{ id: `clamped-${side}`, text, count }];
    }
    if (fileTimes > 0) {
      const text =
        'times of files differ: one side did not keep times when it was unpacked, or the files were built anew';
      return [{ id: 'times', text, count }];
    }
    const text =
      'only directories differ in time: they were made while unpacking (a parent that its archive does not name) or written ' +
      'into afterwards, and got the time of that moment';
    return [{ id: 'directory-times', text, count }];
  }

  function ownerCauses(): Cause[] {
    const causes: Cause[] = [];
    for (const side of ['left', 'right'] as const) {
      const { only, count } = owners[side];
      if (only === undefined || count < 2 || only === `${OVERFLOW_ID}:${OVERFLOW_ID}`) continue;
      // One side of a pair is often root's alone, and rightly so.
      if (only === '0:0' && owners[side === 'left' ? 'right' : 'left'].only !== undefined) continue;
      const how =
        only === '0:0' ? 'it was packed with root for all owners' : 'it was unpacked without privilege';
      const text = `every differing file of ${side} belongs to ${only}: ${how}, and owners were lost`;
      causes.push({ id: `owners-${side}`, text, count });
    }
    if (causes.length > 0 || owners.left.count === 0) return causes;
    return [{ id: 'owners', text: 'owners were changed or mapped on one side', count: owners.left.count }];
  }

  return {
    add,
    causes() {
      const counted = [...counts].map(([id, { text, count }]): Cause => ({ id, text, count }));
      return [...counted, ...timeCauses(), ...ownerCauses()].sort((a, b) => b.count - a.count);
    },
  };
}

/** Whether all values added were one. */
function oneValue<T>(): { add(value: T): void; readonly only: T | undefined; readonly count: number } {
  let only: T | undefined;
  let count = 0;
  return {
    add(value) {
      only = count === 0 || only === value ? value : undefined;
      count += 1;
    },
    get only() {
      return only;
    },
    get count() {
      return count;
    },
  };
}

function timeKey({ seconds, nanos }: Time): string {
  return nanos === 0 ? String(seconds) : `${seconds}.${String(nanos).padStart(9, '0')}`;
}

function inlineText({ content }: RegularFile): string | undefined {
  return content.kind === 'inline' ? Buffer.from(content.bytes).toString('latin1') : undefined;
}
