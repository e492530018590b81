/** Unpacks an image with GNU tar, as root: an independent reading of the layers. */
import { execFileSync } from 'node:child_process';
import { readImage } from './layout.ts';

/** What tar keeps of each layer; whiteouts are applied and time is restored by the script below. */
const KEEP = [
  '--xattrs',
  '--xattrs-include=*',
  '--same-owner',
  '--numeric-owner',
  '--exclude=.wh.*',
  '-xpf',
  '-',
];

/**
 * Whiteouts before a layer is unpacked; directory times after all of them, since unpacking into a directory changes
 * its time. Arguments: the folder, and `before` or `times`. Standard input: the layer.
 */
const SCRIPT = `
import decimal, os, shutil, sys, tarfile
root, what = sys.argv[1:]
def remove(path):
    if os.path.isdir(path) and not os.path.islink(path): shutil.rmtree(path)
    elif os.path.lexists(path): os.remove(path)
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    path = os.path.normpath(os.path.join(root, m.name.lstrip("/")))
    folder, name = os.path.split(path)
    if what == "times":
        ns = int(decimal.Decimal(m.pax_headers.get("mtime", m.mtime)) * 10**9)
        if m.isdir() and os.path.isdir(path) and not os.path.islink(path): os.utime(path, ns=(ns, ns))
    elif name == ".wh..wh..opq":
        for child in os.listdir(folder): remove(os.path.join(folder, child))
    elif name.startswith(".wh."):
        remove(os.path.join(folder, name[4:]))
`;

export interface UnpackOptions {
  /** More options of tar. */
  readonly tar?: readonly string[];
  /** False leaves directories with the time of unpacking where a later layer wrote into them. Default true. */
  readonly restoreTimes?: boolean;
}

export function unpackImage(layout: string, tag: string, folder: string, options: UnpackOptions = {}): void {
  const { layers } = readImage(layout, tag);
  for (const layer of layers) {
    python(folder, 'before', layer);
    execFileSync('tar', [...(options.tar ?? []), ...KEEP, '-C', folder], { input: layer });
  }
  if (options.restoreTimes === false) return;
  for (const layer of layers) python(folder, 'times', layer);
}

function python(folder: string, what: string, layer: Uint8Array): void {
  execFileSync('python3', ['-c', SCRIPT, folder, what], { input: layer });
}
