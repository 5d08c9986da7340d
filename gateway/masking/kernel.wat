;; What the masker computes most, in WebAssembly: two keyed hashes of a value at once, one in each half of a vector; and which of
;; many fields a trigger ends in. `npm run kernel` makes one module of kernel*.wat and writes kernel-code.ts; siphash.ts and engine.ts are what tests compare it with.
  ;; 0x000000  keys, 32 bytes: k0 and k1, each for the first hash and for the second; then 64 bytes of state between pieces, v0 to v3;
  ;;           then both results
  ;; 0x000400  the value to hash, or a piece of it
  ;; 0x010000  byte classes of the automaton, 0x010400 its table of 16-bit entries
  ;; 0x040000  the bytes that hold the fields, 0x44000 at most
  ;; 0x088000  the fields: offset into those bytes and size, 32 bits each
  ;; 0x0e8000  the fields' bytes one after the other, each behind a line feed
  ;; 0x13a000  per field, whether a trigger ends in it
  ;; 0x148000  where each begins among the bytes gathered; at the end the numbers of those in which one does
  ;; 0x180000  a stretch of bytes, 0x8000 at most; 0x188000 four lists of where triggers end in it; 0x1a8000 how many are in each
  (memory (export "memory") 27)

  ;; SipHash-2-4 of `size` bytes at 1024. A longer value comes in pieces, all but the last a multiple of 8 bytes:
  ;; `first` starts from the keys, `last` ends with the length of it all.
  (func (export "sip") (param $size i32) (param $total i32) (param $first i32) (param $last i32)
    (local $v0 v128) (local $v1 v128) (local $v2 v128) (local $v3 v128) (local $m v128)
    (local $at i32) (local $end i32) (local $rounds i32) (local $stage i32)
    (if (local.get $first)
      (then
        (local.set $v0 (v128.xor (v128.load (i32.const 0)) (v128.const i64x2 0x736f6d6570736575 0x736f6d6570736575)))
        (local.set $v1 (v128.xor (v128.load (i32.const 16)) (v128.const i64x2 0x646f72616e646f6d 0x646f72616e646f6d)))
        (local.set $v2 (v128.xor (v128.load (i32.const 0)) (v128.const i64x2 0x6c7967656e657261 0x6c7967656e657261)))
        (local.set $v3 (v128.xor (v128.load (i32.const 16)) (v128.const i64x2 0x7465646279746573 0x7465646279746573))))
      (else
        (local.set $v0 (v128.load (i32.const 32)))
        (local.set $v1 (v128.load (i32.const 48)))
        (local.set $v2 (v128.load (i32.const 64)))
        (local.set $v3 (v128.load (i32.const 80)))))
    (local.set $at (i32.const 1024))
    (local.set $end (i32.add (i32.const 1024) (i32.and (local.get $size) (i32.const -8))))
    (loop $next
      (local.set $rounds (i32.const 2))
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (local.set $m (v128.load64_splat (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 8))))
        (else
          (if (i32.eqz (local.get $last))
            (then
              (v128.store (i32.const 32) (local.get $v0))
              (v128.store (i32.const 48) (local.get $v1))
              (v128.store (i32.const 64) (local.get $v2))
              (v128.store (i32.const 80) (local.get $v3))
              (return)))
          (if (i32.eq (local.get $stage) (i32.const 2))
            (then
              (v128.store (i32.const 96)
                (v128.xor (v128.xor (local.get $v0) (local.get $v1)) (v128.xor (local.get $v2) (local.get $v3))))
              (return)))
          (if (local.get $stage)
            (then
              (local.set $m (v128.const i64x2 0 0))
              (local.set $v2 (v128.xor (local.get $v2) (v128.const i64x2 0xff 0xff)))
              (local.set $rounds (i32.const 4)))
            ;; The rest of the value, and its length in the highest byte.
            (else
              (local.set $m (i64x2.splat (i64.or
                (i64.and (i64.load (local.get $at))
                  (i64.sub
                    (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (i32.and (local.get $size) (i32.const 7)) (i32.const 3))))
                    (i64.const 1)))
                (i64.shl (i64.extend_i32_u (local.get $total)) (i64.const 56)))))))
          (local.set $stage (i32.add (local.get $stage) (i32.const 1)))))
      (local.set $v3 (v128.xor (local.get $v3) (local.get $m)))
      (loop $round
        (local.set $v0 (i64x2.add (local.get $v0) (local.get $v1)))
        (local.set $v2 (i64x2.add (local.get $v2) (local.get $v3)))
        (local.set $v1 (v128.xor (local.get $v0)
          (v128.or (i64x2.shl (local.get $v1) (i32.const 13)) (i64x2.shr_u (local.get $v1) (i32.const 51)))))
        (local.set $v3 (v128.xor (local.get $v2)
          (v128.or (i64x2.shl (local.get $v3) (i32.const 16)) (i64x2.shr_u (local.get $v3) (i32.const 48)))))
        (local.set $v0 (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $v0) (local.get $v0)))
        (local.set $v2 (i64x2.add (local.get $v2) (local.get $v1)))
        (local.set $v0 (i64x2.add (local.get $v0) (local.get $v3)))
        (local.set $v1 (v128.xor (local.get $v2)
          (v128.or (i64x2.shl (local.get $v1) (i32.const 17)) (i64x2.shr_u (local.get $v1) (i32.const 47)))))
        (local.set $v3 (v128.xor (local.get $v0)
          (v128.or (i64x2.shl (local.get $v3) (i32.const 21)) (i64x2.shr_u (local.get $v3) (i32.const 43)))))
        (local.set $v2 (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $v2) (local.get $v2)))
        (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
      (local.set $v0 (v128.xor (local.get $v0) (local.get $m)))
      (br $next)))

  ;; The last field that begins at or before `at` has a trigger.
  (func $mark (param $count i32) (param $at i32)
    (local $low i32) (local $high i32) (local $middle i32)
    (local.set $high (local.get $count))
    (block $found
      (loop $halve
        (br_if $found (i32.le_u (i32.sub (local.get $high) (local.get $low)) (i32.const 1)))
        (local.set $middle (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1)))
        (if (i32.le_u (i32.load offset=0x148000 (i32.shl (local.get $middle) (i32.const 2))) (local.get $at))
          (then (local.set $low (local.get $middle)))
          (else (local.set $high (local.get $middle))))
        (br $halve)))
    (i32.store8 offset=0x13a000 (local.get $low) (i32.const 1)))

  ;; Copies the fields together. Of one byte more than 32 times in a row it leaves out what the automaton would not notice: blocks
  ;; of 16 behind two of the same byte. Returns the end.
  (func $gather (param $count i32) (result i32)
    (local $index i32) (local $to i32) (local $from i32) (local $end i32) (local $same i32) (local $block v128)
    (local.set $to (i32.const 0xe8000))
    (loop $next
      (i32.store8 (local.get $to) (i32.const 10))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (i32.store offset=0x148000 (i32.shl (local.get $index) (i32.const 2)) (local.get $to))
      (local.set $from (i32.add (i32.const 0x40000) (i32.load offset=0x88000 (i32.shl (local.get $index) (i32.const 3)))))
      (local.set $end (i32.add (local.get $from) (i32.load offset=0x88004 (i32.shl (local.get $index) (i32.const 3)))))
      (local.set $same (i32.const 0))
      (block $copied
        (loop $blocks
          (br_if $copied (i32.lt_s (i32.sub (local.get $end) (local.get $from)) (i32.const 16)))
          (local.set $block (v128.load (local.get $from)))
          (if (i8x16.all_true (i8x16.eq (local.get $block) (i8x16.splat (i32.load8_u (local.get $from)))))
            (then
              (if (i32.and
                    (i32.ge_u (local.get $same) (i32.const 2))
                    (i32.eq (i32.load8_u (local.get $from)) (i32.load8_u (i32.sub (local.get $from) (i32.const 1)))))
                (then
                  (local.set $from (i32.add (local.get $from) (i32.const 16)))
                  (br $blocks)))
              (local.set $same
                (if (result i32) (i32.and
                      (i32.ne (local.get $same) (i32.const 0))
                      (i32.eq (i32.load8_u (local.get $from)) (i32.load8_u (i32.sub (local.get $from) (i32.const 1)))))
                  (then (i32.add (local.get $same) (i32.const 1)))
                  (else (i32.const 1)))))
            (else (local.set $same (i32.const 0))))
          (v128.store (local.get $to) (local.get $block))
          (local.set $to (i32.add (local.get $to) (i32.const 16)))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (br $blocks)))
      ;; Up to 15 more; what is copied beyond them is written over.
      (v128.store (local.get $to) (v128.load (local.get $from)))
      (local.set $to (i32.add (local.get $to) (i32.sub (local.get $end) (local.get $from))))
      (br_if $next (i32.lt_u (local.tee $index (i32.add (local.get $index) (i32.const 1))) (local.get $count))))
    (local.get $to))

  ;; How many of `count` fields (one at least) a trigger ends in; their numbers then stand at 0x148000, in order. May name one too many at a
  ;; field's edges, never one too few: a field is seen behind a line feed and whatever came before it, from which the automaton is in a
  ;; state that waits for all its start state waits for. Four lanes, as one waits for each byte's state before it can look up
  ;; the next; each but the first begins 32 bytes early, behind which its state is what it would have been.
  (func (export "sift") (param $count i32) (param $start i32) (param $accept i32) (result i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local $aAt i32) (local $bAt i32) (local $cAt i32) (local $dAt i32)
    (local $end i32) (local $quarter i32) (local $i i32) (local $found i32)
    (memory.fill (i32.const 0x13a000) (i32.const 0) (local.get $count))
    (local.set $end (call $gather (local.get $count)))
    (local.set $aAt (i32.const 0xe8000))
    (local.set $dAt (i32.const 0xe8000))
    (local.set $a (local.get $start))
    (local.set $b (local.get $start))
    (local.set $c (local.get $start))
    (local.set $d (local.get $start))
    (local.set $quarter (i32.shr_u (i32.sub (local.get $end) (i32.const 0xe8000)) (i32.const 2)))
    (if (i32.ge_u (local.get $quarter) (i32.const 64)) (then
      (local.set $bAt (i32.sub (i32.add (local.get $aAt) (local.get $quarter)) (i32.const 32)))
      (local.set $cAt (i32.add (local.get $bAt) (local.get $quarter)))
      (local.set $dAt (i32.add (local.get $cAt) (local.get $quarter)))
      (local.set $i (i32.const 32))
      (loop $early
        (local.set $b (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $b) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $bAt)))) (i32.const 1))))
        (local.set $bAt (i32.add (local.get $bAt) (i32.const 1)))
        (local.set $c (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $c) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $cAt)))) (i32.const 1))))
        (local.set $cAt (i32.add (local.get $cAt) (i32.const 1)))
        (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $dAt)))) (i32.const 1))))
        (local.set $dAt (i32.add (local.get $dAt) (i32.const 1)))
        (br_if $early (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (loop $lanes
        (local.set $a (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $a) (i32.load8_u offset=0x10000 (i32.load8_u (i32.add (local.get $aAt) (local.get $i))))) (i32.const 1))))
        (local.set $b (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $b) (i32.load8_u offset=0x10000 (i32.load8_u (i32.add (local.get $bAt) (local.get $i))))) (i32.const 1))))
        (local.set $c (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $c) (i32.load8_u offset=0x10000 (i32.load8_u (i32.add (local.get $cAt) (local.get $i))))) (i32.const 1))))
        (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u (i32.add (local.get $dAt) (local.get $i))))) (i32.const 1))))
        (if (i32.or
              (i32.or (i32.ge_u (local.get $a) (local.get $accept)) (i32.ge_u (local.get $b) (local.get $accept)))
              (i32.or (i32.ge_u (local.get $c) (local.get $accept)) (i32.ge_u (local.get $d) (local.get $accept))))
          (then
            (if (i32.ge_u (local.get $a) (local.get $accept)) (then (call $mark (local.get $count) (i32.add (local.get $aAt) (local.get $i)))))
            (if (i32.ge_u (local.get $b) (local.get $accept)) (then (call $mark (local.get $count) (i32.add (local.get $bAt) (local.get $i)))))
            (if (i32.ge_u (local.get $c) (local.get $accept)) (then (call $mark (local.get $count) (i32.add (local.get $cAt) (local.get $i)))))
            (if (i32.ge_u (local.get $d) (local.get $accept)) (then (call $mark (local.get $count) (i32.add (local.get $dAt) (local.get $i)))))))
        (br_if $lanes (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $quarter))))
      (local.set $dAt (i32.add (local.get $dAt) (local.get $quarter)))))
    (block $over
      (loop $rest
        (br_if $over (i32.ge_u (local.get $dAt) (local.get $end)))
        (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $dAt)))) (i32.const 1))))
        (if (i32.ge_u (local.get $d) (local.get $accept)) (then (call $mark (local.get $count) (local.get $dAt))))
        (local.set $dAt (i32.add (local.get $dAt) (i32.const 1)))
        (br $rest)))
    (local.set $i (i32.const 0))
    (loop $collect
      (if (i32.load8_u offset=0x13a000 (local.get $i)) (then
        (i32.store offset=0x148000 (i32.shl (local.get $found) (i32.const 2)) (local.get $i))
        (local.set $found (i32.add (local.get $found) (i32.const 1)))))
      (br_if $collect (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $count))))
    (local.get $found))

  ;; Where triggers end in `size` bytes (256 at least, 32768 at most) at 0x180000, the automaton being in `state`. Each lane has a list, at
  ;; 0x188000 and every 0x8000 from there: offset in the upper half, the accepting state in the lower; how many are in each stands
  ;; at 0x1a8000. Returns the state at the end. Lanes as in `sift`.
  (func (export "scan") (param $size i32) (param $a i32) (param $start i32) (param $accept i32) (result i32)
    (local $b i32) (local $c i32) (local $d i32)
    (local $bAt i32) (local $cAt i32) (local $dAt i32)
    (local $aTo i32) (local $bTo i32) (local $cTo i32) (local $dTo i32)
    (local $quarter i32) (local $i i32)
    (local.set $b (local.get $start))
    (local.set $c (local.get $start))
    (local.set $d (local.get $start))
    (local.set $aTo (i32.const 0x188000))
    (local.set $bTo (i32.const 0x190000))
    (local.set $cTo (i32.const 0x198000))
    (local.set $dTo (i32.const 0x1a0000))
    (local.set $quarter (i32.shr_u (local.get $size) (i32.const 2)))
    (local.set $bAt (i32.sub (local.get $quarter) (i32.const 32)))
    (local.set $cAt (i32.add (local.get $bAt) (local.get $quarter)))
    (local.set $dAt (i32.add (local.get $cAt) (local.get $quarter)))
    (local.set $i (i32.const 32))
    (loop $early
      (local.set $b (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $b) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $bAt)))) (i32.const 1))))
      (local.set $bAt (i32.add (local.get $bAt) (i32.const 1)))
      (local.set $c (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $c) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $cAt)))) (i32.const 1))))
      (local.set $cAt (i32.add (local.get $cAt) (i32.const 1)))
      (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $dAt)))) (i32.const 1))))
      (local.set $dAt (i32.add (local.get $dAt) (i32.const 1)))
      (br_if $early (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (loop $lanes
      (local.set $a (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $a) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $i)))) (i32.const 1))))
      (local.set $b (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $b) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (i32.add (local.get $bAt) (local.get $i))))) (i32.const 1))))
      (local.set $c (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $c) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (i32.add (local.get $cAt) (local.get $i))))) (i32.const 1))))
      (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (i32.add (local.get $dAt) (local.get $i))))) (i32.const 1))))
      (if (i32.or
            (i32.or (i32.ge_u (local.get $a) (local.get $accept)) (i32.ge_u (local.get $b) (local.get $accept)))
            (i32.or (i32.ge_u (local.get $c) (local.get $accept)) (i32.ge_u (local.get $d) (local.get $accept))))
        (then
          (if (i32.ge_u (local.get $a) (local.get $accept)) (then
            (i32.store (local.get $aTo) (i32.or (i32.shl (local.get $i) (i32.const 16)) (local.get $a)))
            (local.set $aTo (i32.add (local.get $aTo) (i32.const 4)))))
          (if (i32.ge_u (local.get $b) (local.get $accept)) (then
            (i32.store (local.get $bTo) (i32.or (i32.shl (i32.add (local.get $bAt) (local.get $i)) (i32.const 16)) (local.get $b)))
            (local.set $bTo (i32.add (local.get $bTo) (i32.const 4)))))
          (if (i32.ge_u (local.get $c) (local.get $accept)) (then
            (i32.store (local.get $cTo) (i32.or (i32.shl (i32.add (local.get $cAt) (local.get $i)) (i32.const 16)) (local.get $c)))
            (local.set $cTo (i32.add (local.get $cTo) (i32.const 4)))))
          (if (i32.ge_u (local.get $d) (local.get $accept)) (then
            (i32.store (local.get $dTo) (i32.or (i32.shl (i32.add (local.get $dAt) (local.get $i)) (i32.const 16)) (local.get $d)))
            (local.set $dTo (i32.add (local.get $dTo) (i32.const 4)))))))
      (br_if $lanes (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $quarter))))
    (local.set $dAt (i32.add (local.get $dAt) (local.get $quarter)))
    (block $over
      (loop $rest
        (br_if $over (i32.ge_u (local.get $dAt) (local.get $size)))
        (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $dAt)))) (i32.const 1))))
        (if (i32.ge_u (local.get $d) (local.get $accept)) (then
          (i32.store (local.get $dTo) (i32.or (i32.shl (local.get $dAt) (i32.const 16)) (local.get $d)))
          (local.set $dTo (i32.add (local.get $dTo) (i32.const 4)))))
        (local.set $dAt (i32.add (local.get $dAt) (i32.const 1)))
        (br $rest)))
    (i32.store (i32.const 0x1a8000) (i32.shr_u (i32.sub (local.get $aTo) (i32.const 0x188000)) (i32.const 2)))
    (i32.store (i32.const 0x1a8004) (i32.shr_u (i32.sub (local.get $bTo) (i32.const 0x190000)) (i32.const 2)))
    (i32.store (i32.const 0x1a8008) (i32.shr_u (i32.sub (local.get $cTo) (i32.const 0x198000)) (i32.const 2)))
    (i32.store (i32.const 0x1a800c) (i32.shr_u (i32.sub (local.get $dTo) (i32.const 0x1a0000)) (i32.const 2)))
    (local.get $d))
