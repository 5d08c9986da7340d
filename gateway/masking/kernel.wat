;; What the masker computes most, in WebAssembly: two keyed hashes of a value at once; which of many fields a trigger ends in, and
;; what the most frequent detectors find there. `npm run kernel` makes one module of kernel*.wat and writes kernel-code.ts; siphash.ts, engine.ts
;; and detect-pii.ts are what tests compare it with.

;; 0x000000  keys, 32 bytes: k0 and k1, each for the first hash and for the second; then 64 bytes of state between pieces, v0 to v3;
;;           then both results; at 0x70 what `cover` leaves
;; 0x000400  the value to hash, or a piece of it
;; 0x010000  byte classes of the automaton, 0x010400 its table of 16-bit entries
;; 0x040000  the bytes that hold the fields, 0x44000 at most
;; 0x088000  the fields: offset into those bytes and size, 32 bits each
;; 0x0e8000  the fields' bytes one after the other, each behind a line feed
;; 0x148000  where each begins among the bytes gathered; at the end where those begin in which something may be
;; 0x180000  a stretch of bytes, 0x8000 at most; 0x188000 four lists of where triggers end in it; 0x1a8000 how many are in each
;; 0x1b0000  what a byte can be part of, a bit each: 1 an address's local part, 2 its domain, 4 the edge of a label, 8 a top level, 16 a word,
;;           32 letter or digit, 64 digit, 128 an account number
;; 0x1b0100  lengths of account numbers by country
;; 0x1b0400  32 bytes of keys, as at 0, for each of the four detectors; 0x1b0480 whether the second hash is asked for, a byte for each
;; 0x1b0500  what masks begin with, 128 bytes for each of the four: size and text
;; 0x1b1000  for each accepting state, by its distance from the first, whom it asks: a bit for each of the four, 128 for any other
;; 0x1c1000  lengths of card numbers by their first four digits: bit 0 is for 12
;; 0x1c4000  for each of the last four bytes of a pattern, backwards, which groups may have it there: by its lower half and by its
;;           upper, 16 bytes each; at 0x1c4080 those of 16 places; 0x1c4100 by groups the bytes of their longest pattern
;; 0x220000  for those in which something may be: the number of the first hit, -1 where it is not known
;; 0x250000  hits, 32 bytes each: start, end; 16 bits that say which detector, and 16 how many there are in the field (of its first);
;;           the first hash; of the second the upper 48 bits, in hex
;; 0x300000  four lists of triggers, 0xa0000 bytes each: where one ends among the bytes gathered, and the state, 32 bits each
;;           when that has been read: 0x300000 what `cover` writes, 0x4e0000 the spans of it
;; 0x580000  units that fields stand in: where the length word of each stands, as an address here
;; 0x5a8000  of each field whether it is not to be covered here, whatever is found in it, a byte each
;; 0x5c0000  what is known of a JSON text: kernel-json.wat
(memory (export "memory") 96)
