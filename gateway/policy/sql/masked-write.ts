import type { Facts } from '../../../schemas/frame.ts'

/**
 * Whether a statement with these facts may change what is stored: it says so, or runs what cannot be seen. A mask in such a
 * statement would take the place of the value it stands for; in a query it merely finds nothing.
 */
export function mayWrite(facts: Facts): boolean {
  if (facts['writes'] === true || facts['dynamic'] === true || facts['parse_ok'] !== true) return true
  const categories = facts['function_categories']
  return Array.isArray(categories) && categories.includes('unknown')
}
