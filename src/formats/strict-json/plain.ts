/** A strict document as ordinary values, for libraries that want them. */
import { BootsealError } from '../../errors.ts';
import type { JsonNode } from './json-node.ts';

/**
 * Objects without a prototype, so that no key of the document reaches one. Throws `json/duplicate-key`: the library must
 * not see another document than we did.
 */
export function plainValue(node: JsonNode): unknown {
  switch (node.kind) {
    case 'object': {
      const object = Object.create(null) as Record<string, unknown>;
      for (const { key, keyOffset, value } of node.members) {
        if (key in object) {
          throw new BootsealError('json/duplicate-key', `Duplicate key ${JSON.stringify(key)}`, {
            offset: keyOffset,
          });
        }
        object[key] = plainValue(value);
      }
      return object;
    }
    case 'array':
      return node.items.map(plainValue);
    case 'number':
      return Number(node.text);
    case 'string':
    case 'boolean':
      return node.value;
    case 'null':
    default:
      return null;
  }
}
