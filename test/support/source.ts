/** TypeScript sources looked at as text: what they import, and the code without comments and strings. */

export interface Import {
  readonly specifier: string;
  /** `import()`, or a worker's `new URL('./x.ts', import.meta.url)`. */
  readonly dynamic: boolean;
}

const STATIC = /^\s*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*['"]([^'"]+)['"]/gm;
const DYNAMIC =
  /\bimport\s*\(\s*['"`]([^'"`]+)['"`]\s*\)|\bnew URL\(\s*['"`](\.[^'"`]+\.ts)['"`]\s*,\s*import\.meta\.url/g;

export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  for (const match of code.matchAll(STATIC)) found.push({ specifier: match[1], dynamic: false });
  for (const match of code.matchAll(DYNAMIC)) found.push({ specifier: match[1] ?? match[2], dynamic: true });
  return found;
}

/** Comments and the contents of strings removed. A regular expression that holds a quote may confuse it: none does. */
export function codeOnly(text: string): string {
  return withoutComments(text).replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");
}

/** Strings are matched first, so that `'http://…'` is not taken for a comment. */
function withoutComments(text: string): string {
  const token = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(token, (_whole, string: string | undefined) => string ?? ' ');
}

/** One circle of a graph, as the names along it, or undefined. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    const start = path.indexOf(node);
    if (start !== -1) return [...path.slice(start), node];
    if (finished.has(node)) return undefined;
    path.push(node);
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    finished.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
