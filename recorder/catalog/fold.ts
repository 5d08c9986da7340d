/**
 * Text in which upper and lower case are the same, as long as it was: each character for itself, so that a place in the one is the same place in
 * the other. `İ` in lower case has two characters, of which the first stands for it, as in PostgreSQL.
 */
export function folded(text: string): string {
  // What is lower case of its own, wherever it stands.
  if (!/[\u0130\u03a3]/.test(text)) return text.toLowerCase()
  return text.replaceAll(/[\s\S]/gu, (one) => one.toLowerCase().slice(0, one.length))
}
