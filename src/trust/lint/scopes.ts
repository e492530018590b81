/** Scopes that no image is ever looked up under, and how the scopes of one transport stand to each other. */
import { nearest } from '../../bytes/nearest.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { checksSignatures } from '../evaluate.ts';
import { deadDockerScope } from './docker-scope.ts';
import type { Report } from './finding.ts';
import type { LintPolicy, LintScope } from './shape.ts';

/** Names that containers-transports(5) knows; `ostree` is gone, and is accepted in a policy as any other word is. */
const TRANSPORTS = [
  'atomic',
  'containers-storage',
  'dir',
  'docker',
  'docker-archive',
  'docker-daemon',
  'oci',
  'oci-archive',
  'sif',
  'tarball',
] as const;

export function lintScopes({ scopes, transports }: LintPolicy, report: Report): void {
  for (const { name, offset } of transports) {
    if ((TRANSPORTS as readonly string[]).includes(name)) continue;
    const close = nearest(name, TRANSPORTS);
    const message = `there is no transport ${goQuote(name)}: everything below it is never used`;
    const hint = close === undefined ? `one of ${TRANSPORTS.join(', ')}` : `did you mean "${close}"?`;
    report({ severity: 'warning', code: 'policy/unknown-transport', message, offset, hint });
  }
  for (const scope of scopes) lintScope(scope, report);
  for (const transport of TRANSPORTS) {
    const own = scopes.filter((scope) => scope.transport === transport);
    if (transport === 'docker') lintHosts(own, report);
    lintParents(own, report);
  }
}

function lintScope({ transport, scope, offset }: LintScope, report: Report): void {
  if (scope === undefined || transport === undefined) return;
  const dead =
    transport === 'docker'
      ? deadDockerScope(scope)
      : (transport === 'oci' || transport === 'oci-archive') && scope.includes(':')
        ? {
            why: 'the path of an image ends at the first colon',
            hint: `write ${JSON.stringify(scope.slice(0, scope.indexOf(':')))}`,
          }
        : undefined;
  if (dead === undefined) return;
  const message = `no image is ever looked up under ${goQuote(scope)}: ${dead.why}`;
  report({
    severity: 'warning',
    code: 'policy/dead-scope',
    message,
    offset,
    ...('hint' in dead && { hint: dead.hint }),
  });
}

/** `example.com` says nothing about `example.com:5000`; who names both should know. */
function lintHosts(scopes: readonly LintScope[], report: Report): void {
  const hosts = new Set(scopes.map(({ scope = '' }) => scope.split('/')[0]));
  for (const { scope = '', offset } of scopes) {
    if (scope.includes('/') || scope.includes(':')) continue;
    const withPort = [...hosts].find((host) => host.startsWith(`${scope}:`) && scope !== '');
    if (withPort === undefined) continue;
    const message = `${goQuote(scope)} does not cover ${withPort}: a port makes another host`;
    report({ severity: 'note', code: 'policy/host-and-port', message, offset });
  }
}

/** Nothing is inherited: what a scope leaves out is gone, whatever the one around it says. */
function lintParents(scopes: readonly LintScope[], report: Report): void {
  const byName = new Map(scopes.map((scope) => [scope.scope ?? '', scope]));
  for (const { scope = '', offset, requirements } of scopes) {
    const parent = parentsOf(scope).flatMap((name) => byName.get(name) ?? [])[0];
    if (parent === undefined || requirements.some((each) => each.requirement === undefined)) continue;
    if (parent.requirements.some((each) => each.requirement === undefined)) continue;
    const name = parent.scope === '' ? 'the scope ""' : goQuote(parent.scope ?? '');
    const own = requirements.map((each) => each.requirement!);
    const theirs = parent.requirements.map((each) => each.requirement!);
    if (JSON.stringify(own) === JSON.stringify(theirs)) {
      const message = `says the same as ${name}, which covers it`;
      report({
        severity: 'note',
        code: 'policy/redundant-scope',
        message,
        offset,
        hint: 'remove it, or keep it on purpose',
      });
    } else if (theirs.some(checksSignatures) && own.every(({ type }) => type === 'insecureAcceptAnything')) {
      const message = `takes ${goQuote(scope)} out of ${name}, which asks for signatures: nothing is inherited`;
      report({ severity: 'note', code: 'policy/exception', message, offset });
    }
  }
}

/** Most specific first, the transport's `""` last. */
function parentsOf(scope: string): string[] {
  const parents: string[] = [];
  let name = scope.replace(/(?<=\/[^/]*)(?::[^/:]*|@[^/]*)$/, '');
  if (name !== scope && name !== '') parents.push(name);
  while (name.includes('/')) {
    name = name.slice(0, name.lastIndexOf('/'));
    if (name !== '') parents.push(name);
  }
  if (scope !== '') parents.push('');
  return parents;
}
