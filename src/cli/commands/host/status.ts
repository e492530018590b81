/** `host status --root DIR`: what is deployed, and whether a signature stands for it. */
import { formatImageName } from '../../../formats/reference/image-name.ts';
import { defineCommand, type Command } from '../../command.ts';
import { deploymentJson, describe, root } from '../../host-flags.ts';

interface Flags {
  readonly root: string;
}

export const command: Command = defineCommand<Flags, []>({
  flags: { root },
  args: [],
  async run(_context, flags) {
    const { hostStatus } = await import('../../../host/change.ts');
    const { current, previous, enforced } = await hostStatus(flags.root);
    return {
      ok: true,
      verdict: {
        word: current.verified ? 'signed' : 'unverified',
        subject: `${formatImageName(current.image)}  ${current.digest}`,
        facts: [
          ...(current.signedBy === undefined ? [] : [{ label: 'signed by', value: current.signedBy }]),
          { label: 'accepts', value: enforced ? 'signed images only' : 'what the policy accepts' },
          ...(previous ? [{ label: 'before', value: describe(previous) }] : []),
        ],
      },
      json: {
        enforced,
        current: deploymentJson(current),
        previous: previous && deploymentJson(previous),
      },
    };
  },
});
