/** Results of `verify --sealed` as data, for tests of what renders them: whole, broken, and hostile. */
import type { Step } from '../../src/steps.ts';

export const MANIFEST_DIGEST = `sha256:${'3b1f9c07'.repeat(8)}`;
export const TREE_DIGEST = '4f0c1d22'.repeat(16);
const OTHER_TREE = '1d224f0c'.repeat(16);

const signature: Step = {
  id: 'signature',
  title: 'signature',
  state: 'passed',
  summary: 'sigstore key SHA256:Qm3xKb0Wn8vYj2ZpTt5uRrE1sLqHf7aGc9dXw4oNiM0',
  details: [
    { label: 'policy', value: '/etc/containers/policy.json  scope "quay.io/acme"  (docker)' },
    { label: 'key', value: '/etc/pki/containers/acme.pub' },
    { label: 'identity', value: 'quay.io/acme/os:10-sealed  (matchRepository)' },
  ],
};

const manifest: Step = {
  id: 'manifest',
  title: 'manifest',
  state: 'passed',
  summary: '5 layers, 412.6 MiB',
  details: [{ label: 'digest', value: MANIFEST_DIGEST }],
};

const layers: Step = {
  id: 'layers',
  title: 'layers',
  state: 'passed',
  summary: 'all digests match, packed and unpacked',
  details: [1, 2, 3, 4, 5].map((n) => ({
    label: `layer ${n}`,
    value: `sha256:${`${n}a7e2b${n}0`.repeat(8)}`,
  })),
};

const uki: Step = {
  id: 'uki',
  title: 'UKI',
  state: 'passed',
  summary: 'boot/EFI/Linux/6.12.48.efi  signed by CN=Acme db (RSA 3072)',
  details: [{ label: 'hash', value: `sha256:${'9e'.repeat(32)}  (Authenticode)` }],
};

const bootloader: Step = {
  id: 'bootloader',
  title: 'bootloader',
  state: 'passed',
  summary: 'usr/lib/systemd/boot/efi/systemd-bootx64.efi  signed by CN=Acme db (RSA 3072)',
};

const seal: Step = {
  id: 'seal',
  title: 'seal',
  state: 'passed',
  summary: 'the layers give what the UKI says (current epoch: v1 sha512; 61,204 paths)',
  details: [{ label: 'composefs', value: TREE_DIGEST }],
};

export const goodChain: readonly Step[] = [signature, manifest, layers, uki, seal, bootloader];

/** Nothing failed, and yet not all is well. */
export const warnedChain: readonly Step[] = [
  {
    id: 'signature',
    title: 'signature',
    state: 'warning',
    summary: 'unverified: the policy accepts anything for this name',
    code: 'trust/unverified',
  },
  manifest,
  layers,
  uki,
  seal,
  {
    ...bootloader,
    state: 'warning',
    summary: 'signed by CN=Acme db (RSA 3072), which expired 12 days ago',
    code: 'authenticode/expired',
    hint: 'make a new certificate and seal again:\nbootseal key generate secureboot keys',
  },
];

export const brokenChain: readonly Step[] = [
  signature,
  manifest,
  layers,
  uki,
  {
    id: 'seal',
    title: 'seal',
    state: 'failed',
    summary: `the UKI says composefs=${TREE_DIGEST} but these layers give ${OTHER_TREE}`,
    details: [{ label: 'changed', value: '/usr/bin/login  size 52,184 → 52,208, layer 5' }],
    code: 'seal/digest-mismatch',
    hint: 'somebody changed a file after sealing. If it was you, seal again:\nbootseal seal --from IMAGE --to IMAGE --key db.key --cert db.crt',
  },
  { ...bootloader, state: 'skipped', summary: 'not checked: the chain is broken before it' },
];

const EVIL =
  '"><script>document.title="owned"</script><img src=http://127.0.0.1:9/x onerror=alert(1)>\u202e\u001b[2J&amp;';

/** Every text of it tries to become markup, to run, to load, or to turn the line round. */
export const hostileChain: readonly Step[] = [
  {
    id: EVIL,
    title: EVIL,
    state: 'failed',
    summary: EVIL,
    details: [{ label: EVIL, value: EVIL }],
    code: `evil/${EVIL}`,
    hint: EVIL,
  },
  {
    id: 'x',
    title: "' onclick='alert(1)",
    state: 'skipped',
    summary: '</style><style>*{display:none}</style>',
  },
];

export const hostileText: string = EVIL;
