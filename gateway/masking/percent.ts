/** What a text in the escapes of URLs (WHATWG URL, 5, with `+` for a blank) says; what is no escape, and bytes that are no UTF-8, stand for themselves or for U+FFFD. */
export function withoutEscapes(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-f]{2})+/gi, (codes) => Buffer.from(codes.replaceAll('%', ''), 'hex').toString())
}
