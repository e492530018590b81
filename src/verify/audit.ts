/** Job `audit`: every tag of some repositories, judged as verify judges it. What would be refused today? */
import { isBootsealError, type BootsealError } from '../errors.ts';
import { parseDockerReference, type DockerReference } from '../formats/reference/docker-reference.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { openSession } from '../stores/session.ts';
import { repositoryTags } from '../stores/registry/tags.ts';
import type { VerifyPorts } from './verify.ts';
import { verifyImages, type ManyResult, type VerifyManyRequest } from './verify-many.ts';

export interface AuditRequest extends VerifyManyRequest {
  /** `HOST/PATH`, or one image with its tag or digest. */
  readonly repositories: readonly string[];
}

export interface AuditedRepository {
  readonly repository: string;
  /** Why its tags are not known. */
  readonly error?: BootsealError;
  /** Tags that hold signatures and lists of referrers; nobody pulls those. */
  readonly skipped: number;
  readonly images: readonly ManyResult[];
}

export interface AuditPorts extends VerifyPorts {
  readonly onResult?: (result: ManyResult) => void;
}

/** Throws what reading policy.json and registries.d throws; a repository that cannot be read is told in its place. */
export async function audit(
  request: AuditRequest,
  ports: AuditPorts = {},
): Promise<readonly AuditedRepository[]> {
  const { repositories, ...verify } = request;
  const session = openSession();
  const transport = { ...ports.transport, session };
  try {
    // 1. What there is.
    const listed: Listed[] = [];
    for (const name of repositories) listed.push(await list(name, transport));
    // 2. All of it through one call, so that policy and keys are read once.
    const images = listed.flatMap((each) => each.images);
    const results = await verifyImages(images, verify, { ...ports, transport }, ports.onResult);
    let at = 0;
    return listed.map(({ repository, error, skipped, images: own }) => {
      at += own.length;
      return { repository, ...(error && { error }), skipped, images: results.slice(at - own.length, at) };
    });
  } finally {
    await session.close();
  }
}

interface Listed extends Pick<AuditedRepository, 'repository' | 'error' | 'skipped'> {
  readonly images: readonly ImageName[];
}

async function list(name: string, transport: NonNullable<VerifyPorts['transport']>): Promise<Listed> {
  const repository = name.replace(/^docker:\/\//, '');
  const reference = parseDockerReference(repository);
  if (reference.tag !== undefined || reference.digest !== undefined) {
    return { repository, skipped: 0, images: [named(reference)] };
  }
  try {
    const tags = await repositoryTags(reference, transport);
    const own = tags.filter((tag) => !isByproduct(tag));
    return {
      repository,
      skipped: tags.length - own.length,
      images: own.map((tag) => named({ ...reference, tag })),
    };
  } catch (error) {
    if (!isBootsealError(error) || transport.signal?.aborted === true) throw error;
    return { repository, error, skipped: 0, images: [] };
  }
}

function named(reference: DockerReference): ImageName {
  return { transport: 'docker', reference };
}

/** `sha256-HEX`, `sha256-HEX.sig`, `.att`, `.sbom`: what cosign and the referrers tag schema keep under tags. */
function isByproduct(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.[a-z]+)?$/.test(tag);
}
