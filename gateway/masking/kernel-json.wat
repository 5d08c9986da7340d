;; Reads JSON (RFC 8259) and tells the sieve of what stands in it. json-sieve.ts is who calls; protocols/http/json-text.ts reads the same grammar, and tests
;; compare the two.

;; 0x5c0000  where it stands, an address; what may come next, as in json-text.ts; how much is open; the field of what comes, 0 for one without a name
;; 0x5c0010  how many fields there are for the sieve, at 0x88000; how many tokens for the caller, at 0x5d8000
;; 0x5c0018  the key the caller is asked about: where it begins and ends, whether there are escapes in it, and its place, -1 where it has none
;; 0x5c0028  the place of the key that came last, and one more; 0 where there was none
;; 0x5c0100  for each field what becomes of its values: 0 the sieve is told, 1 nothing, 2 the caller is told
;; 0x5c0200  what is open, a byte for each depth: 1 an object, 0 an array; 0x5c0600 the field each stands in
;; 0x5c1000  known keys, 8 bytes for each place: size and one more, 0 where there is none; the field it stands in; its own; whether nothing in it has to be
;;           masked; the place of the key that came behind it, and one more
;; 0x5c8000  the bytes of known keys, 64 for each place
;; 0x5d8000  tokens for the caller: where one begins, with 0x80000000 for a text, 0x40000000 for escapes in it, 0x20000000 for a key; where it ends,
;;           with its field in the upper 8 bits

(func $isHexDigit (param $byte i32) (result i32)
  (i32.or
    (i32.lt_u (i32.sub (local.get $byte) (i32.const 48)) (i32.const 10))
    (i32.lt_u (i32.sub (i32.or (local.get $byte) (i32.const 32)) (i32.const 97)) (i32.const 6))))

;; How many digits stand at `at`: sixteen at most, and some of them may lie behind the end.
(func $digitCount (param $at i32) (result i32)
  (i32.ctz (i32.xor
    (i8x16.bitmask (i8x16.lt_u
      (i8x16.sub (v128.load (local.get $at)) (v128.const i64x2 0x3030303030303030 0x3030303030303030))
      (v128.const i64x2 0x0a0a0a0a0a0a0a0a 0x0a0a0a0a0a0a0a0a)))
    (i32.const -1))))

(func $digitsEnd (param $at i32) (param $end i32) (result i32)
  (block $over
    (loop $next
      (br_if $over (i32.ge_u (local.get $at) (local.get $end)))
      (br_if $over (i32.ge_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)) (i32.const 10)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
  (local.get $at))

;; Whether `byte` stands at `at`, before the end.
(func $isAt (param $at i32) (param $end i32) (param $byte i32) (result i32)
  (if (result i32) (i32.lt_u (local.get $at) (local.get $end))
    (then (i32.eq (i32.load8_u (local.get $at)) (local.get $byte)))
    (else (i32.const 0))))

;; Where the number at `at` ends; 0 where it is none.
(func $numberEnd (param $at i32) (param $end i32) (result i32)
  (local $to i32)
  (local.set $at (i32.add (local.get $at) (call $isAt (local.get $at) (local.get $end) (i32.const 0x2d))))
  (if (call $isAt (local.get $at) (local.get $end) (i32.const 0x30))
    (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
    (else
      (local.set $to (call $digitsEnd (local.get $at) (local.get $end)))
      (if (i32.eq (local.get $to) (local.get $at)) (then (return (i32.const 0))))
      (local.set $at (local.get $to))))
  (if (call $isAt (local.get $at) (local.get $end) (i32.const 0x2e)) (then
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $to (call $digitsEnd (local.get $at) (local.get $end)))
    (if (i32.eq (local.get $to) (local.get $at)) (then (return (i32.const 0))))
    (local.set $at (local.get $to))))
  (if (i32.or
        (call $isAt (local.get $at) (local.get $end) (i32.const 0x65))
        (call $isAt (local.get $at) (local.get $end) (i32.const 0x45)))
    (then
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.or
        (call $isAt (local.get $at) (local.get $end) (i32.const 0x2b))
        (call $isAt (local.get $at) (local.get $end) (i32.const 0x2d)))))
      (local.set $to (call $digitsEnd (local.get $at) (local.get $end)))
      (if (i32.eq (local.get $to) (local.get $at)) (then (return (i32.const 0))))
      (local.set $at (local.get $to))))
  (local.get $at))

;; Where the text behind a quote at `at` - 1 ends: its other quote. 0 where it is none, 1 where more than there is has to be known. Whether there are
;; escapes in it stands in $escaped.
(global $escaped (mut i32) (i32.const 0))
(func $textEnd (param $at i32) (param $end i32) (result i32)
  (local $block v128) (local $bits i32) (local $byte i32)
  (global.set $escaped (i32.const 0))
  (loop $next
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 1))))
    (local.set $block (v128.load (local.get $at)))
    (local.set $bits (i8x16.bitmask (v128.or
      (v128.or
        (i8x16.eq (local.get $block) (v128.const i64x2 0x2222222222222222 0x2222222222222222))
        (i8x16.eq (local.get $block) (v128.const i64x2 0x5c5c5c5c5c5c5c5c 0x5c5c5c5c5c5c5c5c)))
      (i8x16.lt_u (local.get $block) (v128.const i64x2 0x2020202020202020 0x2020202020202020)))))
    (if (i32.eqz (local.get $bits)) (then
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $next)))
    (local.set $at (i32.add (local.get $at) (i32.ctz (local.get $bits))))
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 1))))
    (local.set $byte (i32.load8_u (local.get $at)))
    (if (i32.eq (local.get $byte) (i32.const 0x22)) (then (return (local.get $at))))
    (if (i32.ne (local.get $byte) (i32.const 0x5c)) (then (return (i32.const 0))))
    (global.set $escaped (i32.const 1))
    (if (i32.ge_u (i32.add (local.get $at) (i32.const 1)) (local.get $end)) (then (return (i32.const 1))))
    (local.set $byte (i32.load8_u offset=1 (local.get $at)))
    (if (i32.eq (local.get $byte) (i32.const 0x75))
      (then
        (if (i32.gt_u (i32.add (local.get $at) (i32.const 6)) (local.get $end)) (then (return (i32.const 1))))
        (if (i32.eqz (i32.and
              (i32.and (call $isHexDigit (i32.load8_u offset=2 (local.get $at))) (call $isHexDigit (i32.load8_u offset=3 (local.get $at))))
              (i32.and (call $isHexDigit (i32.load8_u offset=4 (local.get $at))) (call $isHexDigit (i32.load8_u offset=5 (local.get $at))))))
          (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 6))))
      (else
        ;; " \ / b f n r t
        (if (i32.eqz (i32.or
              (i32.or
                (i32.or (i32.eq (local.get $byte) (i32.const 0x22)) (i32.eq (local.get $byte) (i32.const 0x5c)))
                (i32.or (i32.eq (local.get $byte) (i32.const 0x2f)) (i32.eq (local.get $byte) (i32.const 0x62))))
              (i32.or
                (i32.or (i32.eq (local.get $byte) (i32.const 0x66)) (i32.eq (local.get $byte) (i32.const 0x6e)))
                (i32.or (i32.eq (local.get $byte) (i32.const 0x72)) (i32.eq (local.get $byte) (i32.const 0x74))))))
          (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))))
    (br $next))
  (unreachable))

;; A token for the caller, of this field.
(func $addToken (param $from i32) (param $to i32) (param $kind i32) (param $field i32)
  (local $count i32)
  (local.set $count (i32.load (i32.const 0x5c0014)))
  (i32.store (i32.const 0x5c0014) (i32.add (local.get $count) (i32.const 1)))
  (i32.store offset=0x5d8000 (i32.shl (local.get $count) (i32.const 3))
    (i32.or (i32.sub (local.get $from) (i32.const 0x40000)) (local.get $kind)))
  (i32.store offset=0x5d8004 (i32.shl (local.get $count) (i32.const 3))
    (i32.or (i32.sub (local.get $to) (i32.const 0x40000)) (i32.shl (local.get $field) (i32.const 24)))))

;; Whether the key at `from`, of `size` bytes and in the field `inside`, is the one known at `place`.
(func $isKnown (param $place i32) (param $from i32) (param $size i32) (param $inside i32) (result i32)
  (local $known i32) (local $left i32)
  (if (i32.ne
        (i32.load16_u offset=0x5c1000 (i32.shl (local.get $place) (i32.const 3)))
        (i32.or (i32.add (local.get $size) (i32.const 1)) (i32.shl (local.get $inside) (i32.const 8))))
    (then (return (i32.const 0))))
  (local.set $known (i32.add (i32.const 0x5c8000) (i32.shl (local.get $place) (i32.const 6))))
  (local.set $left (local.get $size))
  (block $rest
    (loop $blocks
      (br_if $rest (i32.lt_s (local.get $left) (i32.const 16)))
      (if (i32.eqz (i8x16.all_true (i8x16.eq (v128.load (local.get $known)) (v128.load (local.get $from)))))
        (then (return (i32.const 0))))
      (local.set $known (i32.add (local.get $known) (i32.const 16)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $left (i32.sub (local.get $left) (i32.const 16)))
      (br $blocks)))
  ;; The lowest bits: of as many bytes as are left.
  (i32.eqz (i32.and
    (i32.xor (i8x16.bitmask (i8x16.eq (v128.load (local.get $known)) (v128.load (local.get $from)))) (i32.const -1))
    (i32.sub (i32.shl (i32.const 1) (local.get $left)) (i32.const 1)))))

;; The place of the key from `from` to `to`, one that comes behind `last` another time or not; -1 where the caller has to be asked about it.
(func $key (param $from i32) (param $to i32) (param $escaped i32) (param $inside i32) (param $last i32) (result i32)
  (local $size i32) (local $place i32) (local $at i32)
  (i32.store (i32.const 0x5c0018) (local.get $from))
  (i32.store (i32.const 0x5c001c) (local.get $to))
  (i32.store (i32.const 0x5c0020) (local.get $escaped))
  (i32.store (i32.const 0x5c0024) (i32.const -1))
  (local.set $size (i32.sub (local.get $to) (local.get $from)))
  (if (i32.or (local.get $escaped) (i32.gt_u (local.get $size) (i32.const 64))) (then (return (i32.const -1))))
  (local.set $place (i32.xor (local.get $size) (i32.mul (local.get $inside) (i32.const 0x9e3779b1))))
  (local.set $at (local.get $from))
  (block $hashed
    (loop $hash
      (br_if $hashed (i32.ge_u (local.get $at) (local.get $to)))
      (local.set $place (i32.add (i32.mul (local.get $place) (i32.const 31)) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $hash)))
  (local.set $place (i32.and (i32.xor (local.get $place) (i32.shr_u (local.get $place) (i32.const 12))) (i32.const 0x3ff)))
  (i32.store (i32.const 0x5c0024) (local.get $place))
  (if (i32.eqz (call $isKnown (local.get $place) (local.get $from) (local.get $size) (local.get $inside)))
    (then (return (i32.const -1))))
  (if (local.get $last) (then
    (i32.store offset=0x5c0ffc (i32.shl (local.get $last) (i32.const 3)) (i32.add (local.get $place) (i32.const 1)))))
  (local.get $place))

;; The caller's answer: the field of what comes behind the key it was asked about, and whether nothing in the key has to be masked.
(func (export "learn") (param $field i32) (param $clean i32) (param $min i32)
  (local $place i32) (local $from i32) (local $to i32) (local $last i32) (local $at i32)
  (local.set $from (i32.load (i32.const 0x5c0018)))
  (local.set $to (i32.load (i32.const 0x5c001c)))
  (local.set $place (i32.load (i32.const 0x5c0024)))
  (if (i32.load (i32.const 0x5c0020))
    (then (call $addToken (local.get $from) (local.get $to) (i32.const 0xe0000000) (i32.const 0)))
    (else
      (if (i32.and
            (i32.eqz (local.get $clean))
            (i32.ge_u (i32.sub (local.get $to) (local.get $from)) (local.get $min)))
        (then
          (local.set $at (i32.load (i32.const 0x5c0010)))
          (i32.store (i32.const 0x5c0010) (i32.add (local.get $at) (i32.const 1)))
          (i32.store8 offset=0x5a8000 (local.get $at) (i32.const 0))
          (i32.store offset=0x88000 (i32.shl (local.get $at) (i32.const 3)) (i32.sub (local.get $from) (i32.const 0x40000)))
          (i32.store offset=0x88004 (i32.shl (local.get $at) (i32.const 3)) (i32.sub (local.get $to) (local.get $from)))))))
  (i32.store (i32.const 0x5c000c) (local.get $field))
  (local.set $last (i32.load (i32.const 0x5c0028)))
  (i32.store (i32.const 0x5c0028) (i32.const 0))
  ;; Nobody is replaced.
  (if (i32.lt_s (local.get $place) (i32.const 0)) (then (return)))
  (if (i32.load8_u offset=0x5c1000 (i32.shl (local.get $place) (i32.const 3))) (then (return)))
  (i32.store offset=0x5c1000 (i32.shl (local.get $place) (i32.const 3))
    (i32.or
      (i32.or
        (i32.add (i32.sub (local.get $to) (local.get $from)) (i32.const 1))
        (i32.shl (i32.load8_u offset=0x5c0600 (i32.load (i32.const 0x5c0008))) (i32.const 8)))
      (i32.or (i32.shl (local.get $field) (i32.const 16)) (i32.shl (local.get $clean) (i32.const 24)))))
  (i32.store offset=0x5c1004 (i32.shl (local.get $place) (i32.const 3)) (i32.const 0))
  (local.set $at (i32.add (i32.const 0x5c8000) (i32.shl (local.get $place) (i32.const 6))))
  (block $copied
    (loop $copy
      (br_if $copied (i32.ge_u (local.get $from) (local.get $to)))
      (i32.store8 (local.get $at) (i32.load8_u (local.get $from)))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $copy)))
  (if (local.get $last) (then
    (i32.store offset=0x5c0ffc (i32.shl (local.get $last) (i32.const 3)) (i32.add (local.get $place) (i32.const 1)))))
  (i32.store (i32.const 0x5c0028) (i32.add (local.get $place) (i32.const 1))))

;; Reads on, up to 0x40000 + `size`; `last`: there the text ends. 0: it is no JSON. 1: it is, and over. 2: the rest, from where it stands now, has to be given
;; again with what follows it. 3: `learn` is to be called before it goes on. 4: there are as many tokens as there is room for.
(func (export "json") (param $size i32) (param $last i32) (param $min i32) (result i32)
  (local $at i32) (local $end i32) (local $expected i32) (local $depth i32) (local $byte i32) (local $to i32) (local $status i32)
  (local $from i32) (local $kind i32) (local $field i32) (local $treated i32) (local $count i32) (local $key i32) (local $place i32) (local $block v128)
  (local.set $end (i32.add (i32.const 0x40000) (local.get $size)))
  (local.set $at (i32.load (i32.const 0x5c0000)))
  (local.set $expected (i32.load (i32.const 0x5c0004)))
  (local.set $depth (i32.load (i32.const 0x5c0008)))
  (local.set $field (i32.load (i32.const 0x5c000c)))
  (local.set $count (i32.load (i32.const 0x5c0010)))
  (local.set $key (i32.load (i32.const 0x5c0028)))
  (local.set $treated (i32.load8_u offset=0x5c0100 (local.get $field)))
  (block $out
    (loop $next
      ;; What is read by the end of this block is a field for the sieve, from $from to $to.
      (block $add
        (if (i32.ge_u (local.get $at) (local.get $end)) (then
          (local.set $status (select (i32.eq (local.get $expected) (i32.const 6)) (i32.const 2) (local.get $last)))
          (br $out)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.eq (local.get $byte) (i32.const 0x22)) (then
          ;; Nothing but a value or a key, or either in the place of an end.
          (br_if $out (i32.gt_u (local.get $expected) (i32.const 3)))
          (local.set $from (i32.add (local.get $at) (i32.const 1)))
          (local.set $kind (i32.const 0x80000000))
          ;; Most texts end within sixteen bytes.
          (local.set $block (v128.load (local.get $from)))
          (local.set $byte (i8x16.bitmask (v128.or
            (v128.or
              (i8x16.eq (local.get $block) (v128.const i64x2 0x2222222222222222 0x2222222222222222))
              (i8x16.eq (local.get $block) (v128.const i64x2 0x5c5c5c5c5c5c5c5c 0x5c5c5c5c5c5c5c5c)))
            (i8x16.lt_u (local.get $block) (v128.const i64x2 0x2020202020202020 0x2020202020202020)))))
          (local.set $to (i32.add (local.get $from) (i32.ctz (local.get $byte))))
          (if (i32.or
                (i32.or (i32.eqz (local.get $byte)) (i32.ge_u (local.get $to) (local.get $end)))
                (i32.ne (i32.load8_u (local.get $to)) (i32.const 0x22)))
            (then
              (if (i32.ge_u (i32.load (i32.const 0x5c0014)) (i32.const 0x4000)) (then
                (local.set $status (i32.const 4))
                (br $out)))
              (local.set $to (call $textEnd (local.get $from) (local.get $end)))
              (if (i32.le_u (local.get $to) (i32.const 1)) (then
                (local.set $status (select (i32.const 2) (i32.const 0) (i32.and (local.get $to) (i32.eqz (local.get $last)))))
                (br $out)))
              (local.set $kind (i32.or (local.get $kind) (i32.shl (global.get $escaped) (i32.const 30))))))
          (if (i32.ge_u (local.get $expected) (i32.const 2)) (then
            (local.set $at (i32.add (local.get $to) (i32.const 1)))
            (local.set $expected (i32.const 4))
            ;; The key that came behind the last one the last time; then any.
            (block $known
              (if (i32.eq (local.get $kind) (i32.const 0x80000000)) (then
                (if (local.get $key) (then
                  (local.set $place (i32.sub (i32.load offset=0x5c0ffc (i32.shl (local.get $key) (i32.const 3))) (i32.const 1)))
                  (if (i32.ge_s (local.get $place) (i32.const 0)) (then
                    (br_if $known (call $isKnown (local.get $place) (local.get $from)
                      (i32.sub (local.get $to) (local.get $from)) (i32.load8_u offset=0x5c0600 (local.get $depth)))))))))) 
              (local.set $place (call $key (local.get $from) (local.get $to)
                (i32.ne (local.get $kind) (i32.const 0x80000000)) (i32.load8_u offset=0x5c0600 (local.get $depth)) (local.get $key)))
              (if (i32.lt_s (local.get $place) (i32.const 0)) (then
                (local.set $status (i32.const 3))
                (br $out))))
            (local.set $key (i32.add (local.get $place) (i32.const 1)))
            (local.set $byte (i32.load offset=0x5c1000 (i32.shl (local.get $place) (i32.const 3))))
            (local.set $field (i32.and (i32.shr_u (local.get $byte) (i32.const 16)) (i32.const 0xff)))
            (local.set $treated (i32.load8_u offset=0x5c0100 (local.get $field)))
            (if (call $isAt (local.get $at) (local.get $end) (i32.const 0x3a)) (then
              (local.set $expected (i32.const 0))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))))
            (br_if $next (i32.shr_u (local.get $byte) (i32.const 24)))
            (br $add)))
          (local.set $expected (select (i32.const 5) (i32.const 6) (local.get $depth)))
          (local.set $at (i32.add (local.get $to) (i32.const 1)))
          (br_if $add (i32.eqz (i32.or (local.get $treated) (i32.and (local.get $kind) (i32.const 0x40000000)))))
          (br_if $next (i32.or (i32.eq (local.get $from) (local.get $to)) (i32.eq (local.get $treated) (i32.const 1))))
          ;; Read again once there is room for it.
          (if (i32.ge_u (i32.load (i32.const 0x5c0014)) (i32.const 0x4000)) (then
            (local.set $at (i32.sub (local.get $from) (i32.const 1)))
            (local.set $expected (i32.const 0))
            (local.set $status (i32.const 4))
            (br $out)))
          (call $addToken (local.get $from) (local.get $to) (local.get $kind) (local.get $field))
          (br $next)))
        (if (i32.eq (local.get $byte) (i32.const 0x2c)) (then
          (br_if $out (i32.ne (local.get $expected) (i32.const 5)))
          (local.set $expected (i32.shl (i32.load8_u offset=0x5c0200 (local.get $depth)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        (if (i32.eq (local.get $byte) (i32.const 0x3a)) (then
          (br_if $out (i32.ne (local.get $expected) (i32.const 4)))
          (local.set $expected (i32.const 0))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        ;; Space, line feed, carriage return, tab.
        (if (i32.le_u (local.get $byte) (i32.const 0x20)) (then
          (br_if $out (i64.eqz (i64.and
            (i64.shr_u (i64.const 0x100002600) (i64.extend_i32_u (local.get $byte)))
            (i64.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        ;; { and [ differ from } and ] by two, and from each other by 0x20.
        (if (i32.eq (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x7b)) (then
          (br_if $out (i32.or (i32.gt_u (local.get $expected) (i32.const 1)) (i32.ge_u (local.get $depth) (i32.const 512))))
          (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
          (local.set $byte (i32.shr_u (i32.and (local.get $byte) (i32.const 0x20)) (i32.const 5)))
          (i32.store8 offset=0x5c0200 (local.get $depth) (local.get $byte))
          (i32.store8 offset=0x5c0600 (local.get $depth) (local.get $field))
          (local.set $expected (i32.add (i32.const 1) (i32.shl (local.get $byte) (i32.const 1))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        (if (i32.eq (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x7d)) (then
          (br_if $out (i32.eqz (local.get $depth)))
          (local.set $byte (i32.shr_u (i32.and (local.get $byte) (i32.const 0x20)) (i32.const 5)))
          (br_if $out (i32.ne (i32.load8_u offset=0x5c0200 (local.get $depth)) (local.get $byte)))
          (br_if $out (i32.and
            (i32.ne (local.get $expected) (i32.const 5))
            (i32.ne (local.get $expected) (i32.add (i32.const 1) (i32.shl (local.get $byte) (i32.const 1))))))
          (local.set $field (i32.load8_u offset=0x5c0600 (local.get $depth)))
          (local.set $treated (i32.load8_u offset=0x5c0100 (local.get $field)))
          (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
          (local.set $expected (select (i32.const 5) (i32.const 6) (local.get $depth)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
        (br_if $out (i32.gt_u (local.get $expected) (i32.const 1)))
        (if (i32.ge_u (i32.load (i32.const 0x5c0014)) (i32.const 0x4000)) (then
          (local.set $status (i32.const 4))
          (br $out)))
        (block $number
        ;; Most numbers are a few digits, and a few more behind a point; what ends them has to be there.
        (local.set $to (call $digitCount (local.get $at)))
        (if (i32.and
              (i32.lt_u (i32.sub (local.get $to) (i32.const 1)) (i32.const 15))
              (i32.or (i32.ne (local.get $byte) (i32.const 0x30)) (i32.eq (local.get $to) (i32.const 1))))
          (then
            (local.set $to (i32.add (local.get $at) (local.get $to)))
            (local.set $kind (i32.load8_u (local.get $to)))
            (if (i32.eq (local.get $kind) (i32.const 0x2e)) (then
              (local.set $from (call $digitCount (i32.add (local.get $to) (i32.const 1))))
              (local.set $to (i32.add (i32.add (local.get $to) (i32.const 1)) (local.get $from)))
              ;; None, or more than were looked at: as if it went on.
              (local.set $kind (select
                (i32.load8_u (local.get $to))
                (i32.const 0x65)
                (i32.lt_u (i32.sub (local.get $from) (i32.const 1)) (i32.const 15))))))
            (br_if $number (i32.and
              (i32.lt_u (local.get $to) (local.get $end))
              (i32.ne (i32.or (local.get $kind) (i32.const 32)) (i32.const 0x65))))))
        (if (i32.or
              (i32.eq (local.get $byte) (i32.const 0x2d))
              (i32.lt_u (i32.sub (local.get $byte) (i32.const 48)) (i32.const 10)))
          (then
            ;; Of a number that may go on behind what there is nothing is known.
            (if (i32.eqz (local.get $last)) (then
              (local.set $to (local.get $at))
              (block $ends
                (loop $on
                  (br_if $ends (i32.ge_u (local.get $to) (local.get $end)))
                  (local.set $byte (i32.load8_u (local.get $to)))
                  ;; Digits, + - . e E.
                  (br_if $ends (i32.eqz (i32.or
                    (i32.or
                      (i32.lt_u (i32.sub (local.get $byte) (i32.const 48)) (i32.const 10))
                      (i32.eq (local.get $byte) (i32.const 0x2b)))
                    (i32.or
                      (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x2d)) (i32.const 2))
                      (i32.eq (i32.or (local.get $byte) (i32.const 32)) (i32.const 0x65))))))
                  (local.set $to (i32.add (local.get $to) (i32.const 1)))
                  (br $on)))
              (if (i32.ge_u (local.get $to) (local.get $end)) (then
                (local.set $status (i32.const 2))
                (br $out)))))
            (local.set $to (call $numberEnd (local.get $at) (local.get $end))))
          (else
            (if (i32.and (i32.eqz (local.get $last)) (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 5))) (then
              (local.set $status (i32.const 2))
              (br $out)))
            ;; true, null, false
            (local.set $to (i32.add (local.get $at) (i32.const 4)))
            (local.set $byte (i32.load (local.get $at)))
            (if (i32.and (i32.ne (local.get $byte) (i32.const 0x65757274)) (i32.ne (local.get $byte) (i32.const 0x6c6c756e))) (then
              (local.set $to (i32.add (local.get $at) (i32.const 5)))
              (br_if $out (i32.or
                (i32.ne (local.get $byte) (i32.const 0x736c6166))
                (i32.ne (i32.load8_u offset=4 (local.get $at)) (i32.const 0x65))))))
            (br_if $out (i32.gt_u (local.get $to) (local.get $end)))))
        (br_if $out (i32.eqz (local.get $to))))
        (local.set $from (local.get $at))
        (local.set $at (local.get $to))
        (local.set $expected (select (i32.const 5) (i32.const 6) (local.get $depth)))
        (br_if $add (i32.eqz (local.get $treated)))
        (if (i32.eq (local.get $treated) (i32.const 2))
          (then (call $addToken (local.get $from) (local.get $to) (i32.const 0) (local.get $field))))
        (br $next))
      ;; Nearly always a comma stands behind a value.
      (if (i32.eq (local.get $expected) (i32.const 5)) (then
        (if (call $isAt (local.get $at) (local.get $end) (i32.const 0x2c)) (then
          (local.set $expected (i32.shl (i32.load8_u offset=0x5c0200 (local.get $depth)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))))))
      (br_if $next (i32.lt_u (i32.sub (local.get $to) (local.get $from)) (local.get $min)))
      (i32.store8 offset=0x5a8000 (local.get $count) (i32.const 0))
      (i32.store offset=0x88000 (i32.shl (local.get $count) (i32.const 3)) (i32.sub (local.get $from) (i32.const 0x40000)))
      (i32.store offset=0x88004 (i32.shl (local.get $count) (i32.const 3)) (i32.sub (local.get $to) (local.get $from)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br $next)))
  (i32.store (i32.const 0x5c0000) (local.get $at))
  (i32.store (i32.const 0x5c0004) (local.get $expected))
  (i32.store (i32.const 0x5c0008) (local.get $depth))
  (i32.store (i32.const 0x5c000c) (local.get $field))
  (i32.store (i32.const 0x5c0010) (local.get $count))
  (i32.store (i32.const 0x5c0028) (local.get $key))
  (local.get $status))
