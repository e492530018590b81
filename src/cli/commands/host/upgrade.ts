/** `host upgrade --root DIR`: follow the deployed name to what it means now, if the policy accepts it. */
import { defineCommand, type Command } from '../../command.ts';
import {
  changeOutcome,
  changePorts,
  changeRequest,
  policy,
  registriesDirectory,
  root,
  type HostFlags,
} from '../../host-flags.ts';
import { transportFlags } from '../../transport-flags.ts';

interface Flags extends HostFlags {
  readonly check: boolean;
}

export const command: Command = defineCommand<Flags, []>({
  description:
    'Asks the registry once what the name means, judges it by policy.json and registries.d, and pulls the digest that ' +
    'was judged. A refusal changes nothing and exits with 1.',
  flags: {
    root,
    check: { kind: 'boolean', default: false, withNegated: false, brief: 'judge, but pull nothing' },
    policy,
    'registries.d': registriesDirectory,
    ...transportFlags,
  },
  args: [],
  async run(context, flags) {
    const { upgradeHost } = await import('../../../host/change.ts');
    const request = { ...changeRequest(flags), check: flags.check };
    return changeOutcome(await upgradeHost(request, await changePorts(flags, context)));
  },
});
