/** Steps about the programs that firmware starts: are they signed by the certificates it will know? */
import { contentOf, lookup, sortedChildren, type Tree } from '../../composefs/tree.ts';
import { pathText } from '../../composefs/diff.ts';
import type { ErrorCode } from '../../errors.ts';
import { verifyPe, type PeVerdict } from '../../formats/authenticode/verify.ts';
import { EFI_STUBS, findUkis, type BootFile } from '../../seal/boot-files.ts';
import type { Step, StepDetail } from '../../steps.ts';

export interface UkiCheck {
  readonly step: Step;
  /** Empty unless all of them are signed by a trusted certificate: then their contents may be believed. */
  readonly trusted: readonly BootFile[];
}

/** Every UKI counts: which of several is started is up to the boot loader. Throws `seal/not-regular`. */
export function checkUkis(tree: Tree, certificates: readonly Uint8Array[]): UkiCheck {
  const ukis = findUkis(tree);
  if (ukis.length === 0) {
    const summary = 'there is no UKI below /boot/EFI/Linux: the image is not sealed';
    const hint = 'seal it: bootseal seal --from IMAGE --to IMAGE --key db.key --cert db.crt';
    return { step: { ...UKI, state: 'failed', summary, code: 'seal/no-uki', hint }, trusted: [] };
  }
  const { state, ...outcome } = checkPrograms(ukis, certificates);
  return { step: { ...UKI, state, ...outcome }, trusted: state === 'failed' ? [] : ukis };
}

const UKI = { id: 'uki', title: 'UKI' } as const;

/** systemd-boot, where the image has it. */
export function checkBootloader(tree: Tree, certificates: readonly Uint8Array[]): Step {
  const step = { id: 'bootloader', title: 'bootloader' } as const;
  const folder = lookup(tree, EFI_STUBS);
  const found =
    folder?.kind !== 'directory'
      ? []
      : sortedChildren(folder)
          .filter(([name]) => /^systemd-boot.*\.efi$/.test(name))
          .map(([name, node]) => ({
            path: `${EFI_STUBS}/${name}`,
            bytes: contentOf(node) ?? new Uint8Array(),
          }));
  if (found.length === 0) {
    return { ...step, state: 'skipped', summary: 'the image has no systemd-boot; the UKI boots by itself' };
  }
  return { ...step, ...checkPrograms(found, certificates) };
}

function checkPrograms(
  programs: readonly BootFile[],
  certificates: readonly Uint8Array[],
): Pick<Step, 'state' | 'summary' | 'details' | 'code'> {
  const checked = programs.map(({ path, bytes }) => ({
    path,
    verdict: verifyPe(bytes, { anchors: certificates }),
  }));
  const details = checked.flatMap(({ path, verdict }) => programDetails(path, verdict));
  const refused = checked.find(({ verdict }) => !verdict.accepted);
  if (refused !== undefined) {
    const { code, message } = mainReason(refused.verdict);
    return { state: 'failed', summary: `${pathText(refused.path)}: ${message}`, details, code };
  }
  const [warning] = checked.flatMap(({ verdict }) => verdict.warnings);
  const signers = checked.map(
    ({ verdict }) => verdict.signatures.find(({ accepted }) => accepted)?.subject ?? '',
  );
  const summary = `${checked.map(({ path }) => pathText(path)).join(', ')}  signed by ${[...new Set(signers)].join(', ')}`;
  if (warning === undefined) return { state: 'passed', summary, details };
  return { state: 'warning', summary: `${summary}; ${warning.message}`, details, code: warning.code };
}

function mainReason(verdict: PeVerdict): { readonly code: ErrorCode; readonly message: string } {
  const reasons = [...verdict.reasons, ...verdict.signatures.flatMap((signature) => signature.reasons)];
  return reasons[0] ?? { code: 'authenticode/unsigned', message: 'not signed' };
}

function programDetails(path: string, verdict: PeVerdict): StepDetail[] {
  const details: StepDetail[] = [];
  if (verdict.authenticodeSha256 !== undefined) {
    details.push({ label: 'Authenticode', value: `sha256:${verdict.authenticodeSha256}  ${pathText(path)}` });
  }
  for (const { accepted, fingerprintSha256 } of verdict.signatures) {
    if (accepted && fingerprintSha256 !== undefined) {
      details.push({ label: 'certificate', value: `SHA-256 ${fingerprintSha256}` });
    }
  }
  return details;
}
