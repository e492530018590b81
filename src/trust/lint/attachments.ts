/** A `sigstoreSigned` requirement is of no use where registries.d leaves attachments off: no signature is then found. */
import type { RegistriesConfig } from '../../formats/registries-d/config.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import type { Report } from './finding.ts';
import type { LintPolicy } from './shape.ts';

export function lintAttachments({ scopes }: LintPolicy, config: RegistriesConfig, report: Report): void {
  if (config.defaultDocker?.section.useSigstoreAttachments === true) return;
  const on = [...config.docker].filter(([, { section }]) => section.useSigstoreAttachments === true);
  for (const { transport, scope = '', offset, requirements } of scopes) {
    if (transport !== 'docker') continue;
    if (!requirements.some(({ requirement }) => requirement?.type === 'sigstoreSigned')) continue;
    // Any namespace around the scope or inside it may do for the images that are meant.
    if (on.some(([namespace]) => touches(namespace, scope))) continue;
    const message = `sigstoreSigned asks for attachments, and no registries.d file turns them on for ${goQuote(scope)}`;
    const name =
      scope.startsWith('*.') || scope === '' ? 'HOST' : scope.replace(/(?<=\/[^/]*)(?::[^/:]*|@[^/]*)$/, '');
    const hint = `docker: {${JSON.stringify(name)}: {use-sigstore-attachments: true}} in /etc/containers/registries.d/NAME.yaml`;
    report({ severity: 'warning', code: 'policy/attachments-off', message, offset, hint });
  }
}

function touches(namespace: string, scope: string): boolean {
  if (scope === '' || namespace === scope) return true;
  if (isWithin(scope, namespace) || isWithin(namespace, scope)) return true;
  const [host] = scope.split(/[:/]/, 1);
  const [other] = namespace.split(/[:/]/, 1);
  return fits(namespace, host) || fits(scope, other);
}

function isWithin(name: string, parent: string): boolean {
  return name.startsWith(`${parent}/`) || name.startsWith(`${parent}:`) || name.startsWith(`${parent}@`);
}

function fits(wildcard: string, host: string): boolean {
  return wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1));
}
