/** Image names and docker references: what is accepted must be written and read back the same. */
import { decodeUtf8 } from '../../src/bytes/bytes.ts';
import { formatImageName, parseImageName } from '../../src/formats/reference/image-name.ts';
import {
  familiarName,
  formatReference,
  parseDockerReference,
} from '../../src/formats/reference/docker-reference.ts';
import type { FuzzTarget } from './harness.ts';

const SEEDS = [
  'busybox',
  'docker://quay.io/acme/os:10',
  `localhost:5000/a/b@sha256:${'ab'.repeat(32)}`,
  'oci:/a/b:c/d',
  'oci-archive:x.tar:@3',
  'docker-archive:x:y:z',
  '[::1]:5000/a__b/c--d:tag',
];

export const target: FuzzTarget = {
  name: 'reference',
  seeds: () => SEEDS.map((text) => Buffer.from(text)),
  run(bytes) {
    const text = decodeUtf8(bytes);
    if (text === undefined) return;
    const name = parseImageName(text);
    const whole = formatImageName(name);
    if (formatImageName(parseImageName(whole)) !== whole) throw new Error('image name changed');
    if (name.transport !== 'docker') return;
    const reference = formatReference(name.reference);
    if (formatReference(parseDockerReference(reference)) !== reference) throw new Error('reference changed');
    if (formatReference(parseDockerReference(familiarName(name.reference))) !== reference) {
      throw new Error('familiar name means something else');
    }
  },
};
