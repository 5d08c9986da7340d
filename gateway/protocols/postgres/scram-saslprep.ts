// SASLprep (RFC 4013) as the PostgreSQL server applies it to passwords before SCRAM.

// RFC 3454 C.1.2, non-ASCII space characters; B.1, characters commonly mapped to nothing.
const SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/gu
const NOTHING = /\u00AD|\u034F|\u1806|\u180B|\u180C|\u180D|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/gu
// RFC 3454 C.2.1, C.2.2, C.3 to C.9: control, private use, non-characters, surrogates, tagging and the like, as far as NFKC
// leaves them.
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06DD\u070F\u180E\u200E\u200F\u2028\u2029\u202A-\u202E\u2061-\u2063\u206A-\u206F\u2FF0-\u2FFB\uFFF9-\uFFFD\u{1D173}-\u{1D17A}\u{E0001}\u{E0020}-\u{E007F}]/u
const UNASSIGNED = /\p{Cn}/u
// RFC 3454 section 6: right-to-left text may not be mixed with left-to-right text, and must stand at both ends.
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
const LEFT_TO_RIGHT = /(?![\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}])\p{L}/u

/**
 * The text both ends derive keys from. A password that SASLprep does not allow is used as it is, as server and libpq do.
 * Characters that Unicode 3.2 did not know count as assigned here: only a password in which one of them has a compatibility
 * form differs from the server's.
 */
export function saslPrep(password: string): string {
  if (!/[^\x20-\x7E]/.test(password)) return password
  const prepared = password.replaceAll(SPACES, ' ').replaceAll(NOTHING, '').normalize('NFKC')
  if (prepared === '' || PROHIBITED.test(prepared) || UNASSIGNED.test(prepared)) return password
  if (RIGHT_TO_LEFT.test(prepared)) {
    const letters = [...prepared]
    const ends = [letters.at(0) ?? '', letters.at(-1) ?? '']
    if (LEFT_TO_RIGHT.test(prepared) || !ends.every((letter) => RIGHT_TO_LEFT.test(letter))) return password
  }
  return prepared
}
