#!/usr/bin/env node
/**
 * The `bootseal` program: finds the command by its words and starts it. Imports nothing but the command table, so
 * that `--help` costs little more than starting Node; everything else is loaded when it is known to be needed.
 */
import { commands, findCommand } from './commands.ts';

async function main(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === '--version' || first === '-V' || first === 'version') {
    const { printVersion } = await import('./version.ts');
    return printVersion();
  }
  if (first === '__complete') {
    const { complete } = await import('./completion.ts');
    return complete(argv.slice(1));
  }
  const entry = findCommand(argv);
  if (entry === undefined) {
    const { printOverview } = await import('./render/overview.ts');
    return printOverview(commands, argv);
  }
  // Both files at once; whatever is wrong with the command is told when it runs.
  entry.load().catch(() => undefined);
  const { runCommand } = await import('./app.ts');
  return runCommand(entry, argv.slice(entry.path.length));
}

// Until the answer is known: a command that comes to no end has decided nothing.
process.exitCode = 3;
const exit = await main(process.argv.slice(2));
// After a signal nothing is waited for: what had to be removed has been.
if (exit > 128) process.exit(exit);
process.exitCode = exit;
