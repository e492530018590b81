/** What other programs call the things that bootseal does: people try the words that they know. */

/** Their words → our command. */
const OURS: Readonly<Record<string, string>> = {
  // skopeo
  'generate-sigstore-key': 'key generate sigstore',
  'list-tags': 'audit',
  sync: 'copy',
  // podman
  'image trust': 'policy match',
  'image trust show': 'policy match',
  'image trust set': 'trust init',
  'image sign': 'sign',
  'image inspect': 'inspect',
  pull: 'copy',
  push: 'copy',
  'trust show': 'policy match',
  'trust set': 'trust init',
  // cosign
  'generate-key-pair': 'key generate sigstore',
  triangulate: 'policy explain',
  tree: 'policy explain',
  save: 'copy',
  // bootc
  status: 'host status',
  switch: 'host switch',
  upgrade: 'host upgrade',
  'container lint': 'digest',
  'container ukify': 'build-uki',
  'container compute-composefs-digest': 'digest',
  // ukify, sbsigntool, systemd
  build: 'uki build',
  genkey: 'key generate secureboot',
  ukify: 'uki build',
  'ukify build': 'uki build',
  'ukify inspect': 'uki inspect',
  'ukify genkey': 'key generate secureboot',
  sbsign: 'uki sign',
  sbverify: 'uki verify',
  // composefs and fsverity
  mkcomposefs: 'composefs mkfs',
  'composefs-info': 'composefs info',
  fsverity: 'verity digest',
  'fsverity digest': 'verity digest',
  'compute-image-digest': 'digest',
  'create-image': 'composefs mkfs',
  // general
  lint: 'policy lint',
  match: 'policy match',
  explain: 'policy explain',
  'generate key': 'key generate sigstore',
  keygen: 'key generate sigstore',
};

/** The longest of the words that somebody else has a command for; `known` tells what we have. */
export function peerCommand(
  words: readonly string[],
  known: (name: string) => boolean,
): { readonly given: string; readonly ours: string } | undefined {
  for (let length = Math.min(words.length, 3); length > 0; length--) {
    const given = words.slice(0, length).join(' ');
    const ours = Object.hasOwn(OURS, given) ? OURS[given] : undefined;
    if (ours !== undefined && known(ours)) return { given, ours };
  }
  return undefined;
}
