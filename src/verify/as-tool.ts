/**
 * Each tool's own rule for what the policy is asked about, when a name means an index. podman and skopeo judge what they
 * take: the instance for the platform, or each one. bootc pulls through skopeo's image proxy, which judges
 * the reference asked for and no more: the index. cosign asks no policy at all: see as-cosign.ts.
 */

export type Tool = 'podman' | 'bootc' | 'cosign';

/** Those that go by policy.json. */
export type PolicyTool = Exclude<Tool, 'cosign'>;

export const TOOLS: readonly Tool[] = ['podman', 'bootc', 'cosign'];

/** Whether the instances of an index decide, or the index itself. */
export function instancesDecide(tool: PolicyTool): boolean {
  return tool === 'podman';
}
