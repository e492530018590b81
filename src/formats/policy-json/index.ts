/** policy.json: containers-policy.json(5). */
export type { IdentityMatch, KeySource, Policy, Requirement, RequirementType } from './policy.ts';
export { parsePolicy } from './reader.ts';
export { encodePolicy } from './writer.ts';
