/** `bootseal completion SHELL`: the script that asks `bootseal __complete` for the words. */
import { defineCommand, type Command, type NoFlags } from '../command.ts';
import { completionScript, SHELLS, type Shell } from '../completion.ts';

export const command: Command = defineCommand<NoFlags, [shell: Shell]>({
  flags: {},
  args: [{ parse: parseShell, placeholder: 'SHELL', brief: SHELLS.join(', ') }],
  run: async (_context, _flags, shell) => ({
    ok: true,
    text: completionScript(shell),
    json: { script: completionScript(shell) },
  }),
});

function parseShell(input: string): Shell {
  const shell = SHELLS.find((name) => name === input);
  if (shell === undefined) throw new Error(`"${input}" is none of ${SHELLS.join(', ')}`);
  return shell;
}
