/**
 * node scripts/bundle.mjs FOLDER     joins compiled modules below FOLDER (dist) into few files, in place
 *
 * Node takes a third of a millisecond to find, open and link each module, and judging one image needs a hundred and
 * forty of them. Here the modules that always run together become one file each: what starts a command, and what
 * `verify` needs. Nothing is renamed or rewritten but imports and exports; the modules stay as the compiler wrote them,
 * one function each, in an order in which all that a module imports stands before it (there are no circles:
 * test/architecture.test.ts). Packages and everything that is imported only now and then stay outside.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The file, and further modules that it always comes to import while it runs. @type {readonly (readonly string[])[]} */
const BUNDLES = [
  ['cli/app.js'],
  [
    'cli/commands/verify.js',
    'cli/verify-policy.js',
    'verify/verify.js',
    'formats/reference/image-name.js',
    'stores/registry/source.js',
    'stores/registry/direct.js',
    'trust/requirements/sigstore-signed.js',
  ],
];

/** Modules that find files beside themselves cannot be moved. */
const STAYS = /\bimport\.meta\b/;

const IMPORT = /^import (?:(\w+)|\* as (\w+)|\{([^}]*)\}) from '([^']+)';$/gm;
const EXPORT_FROM = /^export \{([^}]*)\} from '([^']+)';$/gm;
const EXPORT_LIST = /^export \{([^}]*)\};$/gm;
const EXPORTED = /^export ((?:async )?function\*?|class|const|let) (\w+)/gm;
const DYNAMIC = /\bimport\('(\.[^']+)'\)/g;

/**
 * @typedef {object} Module
 * @property {string} path absolute
 * @property {string} text
 * @property {string} name of the variable that holds its exports
 */

/**
 * The text of the file that replaces the first of `entries`; all are relative to `root`.
 * @param {string} root @param {readonly string[]} entries
 */
export function joinModules(root, entries) {
  const target = join(root, entries[0]);
  /** @type {Map<string, Module>} in the order of evaluation */
  const modules = new Map();
  /** @param {string} path */
  const visit = (path) => {
    if (modules.has(path)) return;
    const text = readFileSync(path, 'utf8');
    for (const inner of importsOf(text, path)) if (mayJoin(inner)) visit(inner);
    modules.set(path, { path, text, name: `m${modules.size}` });
  };
  for (const entry of entries) visit(join(root, entry));
  const outside = new Outside(target);
  const parts = [...modules.values()].map((module) => wrap(module, modules, outside));
  const own = modules.get(target);
  if (own === undefined) throw new Error(`${target} is not in its own bundle`);
  const names = exportedNames(own.text).map((name) => `export const ${name} = ${own.name}.${name};`);
  return [...outside.lines(), ...parts, ...names, ''].join('\n');
}

/** @param {string} path */
function mayJoin(path) {
  return !STAYS.test(readFileSync(path, 'utf8'));
}

/** @param {string} text @param {string} path */
function importsOf(text, path) {
  return [...text.matchAll(IMPORT), ...text.matchAll(EXPORT_FROM)]
    .map((match) => match.at(-1) ?? '')
    .filter((from) => from.startsWith('.'))
    .map((from) => resolve(dirname(path), from));
}

/** What a bundle imports, each once, under names of its own. */
class Outside {
  /** @type {Map<string, string>} */
  #names = new Map();
  /** @param {string} target */
  constructor(target) {
    this.target = target;
  }

  /** @param {string} from package, built-in module, or absolute path */
  nameOf(from) {
    const name = this.#names.get(from) ?? `outside${this.#names.size}`;
    this.#names.set(from, name);
    return name;
  }

  /** @param {string} path */
  pathTo(path) {
    const way = relative(dirname(this.target), path);
    return way.startsWith('.') ? way : `./${way}`;
  }

  lines() {
    return [...this.#names].map(
      ([from, name]) => `import * as ${name} from '${from.startsWith('/') ? this.pathTo(from) : from}';`,
    );
  }
}

/** @param {Module} module @param {Map<string, Module>} modules @param {Outside} outside */
function wrap({ path, text, name }, modules, outside) {
  /** @type {string[]} */
  const exported = [];
  /** @param {string} from */
  const holder = (from) => {
    const absolute = from.startsWith('.') ? resolve(dirname(path), from) : from;
    return modules.get(absolute)?.name ?? outside.nameOf(absolute);
  };
  const body = text
    .replace(/^#!.*\n/, '')
    .replace(IMPORT, (_, whole, space, list, from) => {
      if (whole !== undefined) return `const ${whole} = ${holder(from)}.default;`;
      if (space !== undefined) return `const ${space} = ${holder(from)};`;
      return `const { ${named(list, ': ')} } = ${holder(from)};`;
    })
    .replace(EXPORT_FROM, (_, list, from) => {
      for (const { own, outer } of pairs(list)) exported.push(`${outer}: ${holder(from)}.${own}`);
      return '';
    })
    .replace(EXPORT_LIST, (_, list) => {
      for (const { own, outer } of pairs(list)) exported.push(own === outer ? own : `${outer}: ${own}`);
      return '';
    })
    .replace(EXPORTED, (_, kind, variable) => {
      if (kind === 'let') throw new Error(`${path}: export let ${variable} cannot be joined`);
      exported.push(variable);
      return `${kind} ${variable}`;
    })
    .replace(DYNAMIC, (_, from) => {
      const absolute = resolve(dirname(path), from);
      const inner = modules.get(absolute);
      return inner === undefined ? `import('${outside.pathTo(absolute)}')` : `Promise.resolve(${inner.name})`;
    });
  const left = /^(?:import|export)\b.*/m.exec(body);
  if (left !== null) throw new Error(`${path}: not understood: ${left[0]}`);
  return `// ${relative(dirname(dirname(outside.target)), path)}\nconst ${name} = (() => {\n${body}\nreturn { ${exported.join(', ')} };\n})();`;
}

/** @param {string} list @param {string} separator */
function named(list, separator) {
  return pairs(list)
    .map(({ own, outer }) => (own === outer ? own : `${own}${separator}${outer}`))
    .join(', ');
}

/** `a, b as c` @param {string} list */
function pairs(list) {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => {
      const [own, outer = own] = item.split(/\s+as\s+/);
      return { own, outer };
    });
}

/** @param {string} text */
function exportedNames(text) {
  return [
    ...[...text.matchAll(EXPORTED)].map((match) => match[2]),
    ...[...text.matchAll(EXPORT_LIST), ...text.matchAll(EXPORT_FROM)].flatMap((match) =>
      pairs(match[1]).map(({ outer }) => outer),
    ),
  ];
}

/** @param {string} folder of the compiled modules */
export function bundleAll(folder) {
  const bundles = BUNDLES.map((entries) => {
    const missing = entries.find((entry) => !existsSync(join(folder, entry)));
    if (missing !== undefined) throw new Error(`${missing} is not compiled`);
    return { path: join(folder, entries[0]), text: joinModules(folder, entries) };
  });
  for (const { path, text } of bundles) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bundleAll(resolve(process.argv[2] ?? 'dist'));
