/** Which tools will find what was signed and take it, each by its own rule. */
import type { Step } from '../steps.ts';

/** `attachment`: tag `sha256-HEX.sig`; `bundle`: referrer of cosign 3; `simple`: OpenPGP in a lookaside store. */
export const SIGNATURE_FORMS = ['attachment', 'bundle', 'simple'] as const;
export type SignatureForm = (typeof SIGNATURE_FORMS)[number];

export interface Acceptance {
  readonly tool: 'podman and skopeo' | 'bootc' | 'cosign 3' | 'cosign 2';
  readonly accepts: boolean;
  /** Present where it refuses. */
  readonly why?: string;
  /** What to add to the command. */
  readonly mend?: string;
}

export interface SignedWays {
  readonly forms: readonly SignatureForm[];
  readonly kind: 'image' | 'index';
  /** Of an index the instances were signed too. */
  readonly all: boolean;
  /** There are bundles on the image, ours or others'. */
  readonly hasBundles: boolean;
}

/** With the public key, and a policy that names this repository. */
export function acceptances({ forms, kind, all, hasBundles }: SignedWays): readonly Acceptance[] {
  const classic = forms.includes('attachment') || forms.includes('simple');
  const unread = { accepts: false, why: 'cannot read bundles', mend: '--format attachment,bundle' };
  const instances = {
    accepts: false,
    why: 'checks the instance that it pulls, and only the index is signed',
    mend: '--all',
  };
  const notSigstore = {
    accepts: false,
    why: 'cannot read simple signatures',
    mend: '--format attachment,bundle and --sign-by-sigstore-private-key',
  };
  const podman = !classic ? unread : kind === 'index' && !all ? instances : { accepts: true };
  const cosign3 = forms.includes('bundle')
    ? { accepts: true }
    : !forms.includes('attachment')
      ? notSigstore
      : hasBundles
        ? {
            accepts: false,
            why: 'the image has bundles by others, and then it reads nothing else',
            mend: '--format attachment,bundle',
          }
        : { accepts: true };
  const cosign2 = forms.includes('attachment')
    ? { accepts: true }
    : forms.includes('bundle')
      ? unread
      : notSigstore;
  return [
    { tool: 'podman and skopeo', ...podman },
    { tool: 'bootc', ...(classic ? { accepts: true } : unread) },
    { tool: 'cosign 3', ...cosign3 },
    { tool: 'cosign 2', ...cosign2 },
  ];
}

/** One line on who accepts it, and a warning for each who does not. */
export function acceptanceSteps(judged: readonly Acceptance[]): readonly Step[] {
  const accepting = judged.flatMap(({ tool, accepts }) => (accepts ? [tool] : []));
  const steps: Step[] = [];
  if (accepting.length > 0) {
    steps.push({
      id: 'accepted-by',
      title: 'accepted by',
      state: 'passed',
      summary: accepting.join(', '),
    });
  }
  for (const { tool, accepts, why = '', mend } of judged) {
    if (accepts) continue;
    steps.push({
      id: 'refused-by',
      title: 'refused by',
      state: 'warning',
      summary: `${tool}: ${why}`,
      code: 'sign/tool-refuses',
      ...(mend !== undefined && { hint: `sign with ${mend}` }),
    });
  }
  return steps;
}
