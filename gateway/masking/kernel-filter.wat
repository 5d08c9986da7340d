;; As `scan`, with all it finds in the first list: the automaton walks where prefilter.ts leaves something possible, from as far back as the longest
;; pattern that may end there begins. What it then accepts is the same, though it may stand in another of the states that accept just that.
;; -1 where it would have to walk over more than an eighth of the bytes, as in text: `scan` is quicker there.
(func (export "filter") (param $size i32) (param $state i32) (param $accept i32) (result i32)
  (local $at i32) (local $to i32) (local $left i32) (local $bits i32) (local $end i32) (local $long i32) (local $from i32)
  (local $maybe v128) (local $bytes v128) (local $fifteen v128)
  (local $lower0 v128) (local $upper0 v128) (local $lower1 v128) (local $upper1 v128)
  (local $lower2 v128) (local $upper2 v128) (local $lower3 v128) (local $upper3 v128)
  (local.set $fifteen (v128.const i8x16 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15 15))
  (local.set $lower0 (v128.load (i32.const 0x1c4000)))
  (local.set $upper0 (v128.load (i32.const 0x1c4010)))
  (local.set $lower1 (v128.load (i32.const 0x1c4020)))
  (local.set $upper1 (v128.load (i32.const 0x1c4030)))
  (local.set $lower2 (v128.load (i32.const 0x1c4040)))
  (local.set $upper2 (v128.load (i32.const 0x1c4050)))
  (local.set $lower3 (v128.load (i32.const 0x1c4060)))
  (local.set $upper3 (v128.load (i32.const 0x1c4070)))
  (local.set $to (i32.const 0x188000))
  (local.set $left (i32.shr_u (local.get $size) (i32.const 3)))
  ;; What began before them may end in the first ones.
  (loop $first
    (local.set $state (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $state) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $at)))) (i32.const 1))))
    (if (i32.ge_u (local.get $state) (local.get $accept)) (then
      (i32.store (local.get $to) (i32.or (i32.shl (local.get $at) (i32.const 16)) (local.get $state)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))))
    (br_if $first (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 32))))
  (loop $blocks
    (local.set $maybe
      (v128.and
        (v128.and
          (v128.and
            (i8x16.swizzle (local.get $lower0) (v128.and (local.tee $bytes (v128.load offset=0x180000 (local.get $at))) (local.get $fifteen)))
            (i8x16.swizzle (local.get $upper0) (i8x16.shr_u (local.get $bytes) (i32.const 4))))
          (v128.and
            (i8x16.swizzle (local.get $lower1) (v128.and (local.tee $bytes (v128.load offset=0x17ffff (local.get $at))) (local.get $fifteen)))
            (i8x16.swizzle (local.get $upper1) (i8x16.shr_u (local.get $bytes) (i32.const 4)))))
        (v128.and
          (v128.and
            (i8x16.swizzle (local.get $lower2) (v128.and (local.tee $bytes (v128.load offset=0x17fffe (local.get $at))) (local.get $fifteen)))
            (i8x16.swizzle (local.get $upper2) (i8x16.shr_u (local.get $bytes) (i32.const 4))))
          (v128.and
            (i8x16.swizzle (local.get $lower3) (v128.and (local.tee $bytes (v128.load offset=0x17fffd (local.get $at))) (local.get $fifteen)))
            (i8x16.swizzle (local.get $upper3) (i8x16.shr_u (local.get $bytes) (i32.const 4)))))))
    (if (v128.any_true (local.get $maybe)) (then
      (v128.store (i32.const 0x1c4080) (local.get $maybe))
      (local.set $bits (i32.xor
        (i8x16.bitmask (i8x16.eq (local.get $maybe) (v128.const i64x2 0 0)))
        (i32.const 0xffff)))
      (loop $places
        (local.set $end (i32.ctz (local.get $bits)))
        (local.set $long (i32.load8_u offset=0x1c4100 (i32.load8_u offset=0x1c4080 (local.get $end))))
        (local.set $end (i32.add (local.get $at) (local.get $end)))
        (local.set $left (i32.sub (local.get $left) (local.get $long)))
        (if (i32.lt_s (local.get $left) (i32.const 0)) (then (return (i32.const -1))))
        (local.set $from (i32.sub (i32.add (local.get $end) (i32.const 1)) (local.get $long)))
        (local.set $state (i32.const 0))
        (loop $walk
          (local.set $state (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $state) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $from)))) (i32.const 1))))
          (br_if $walk (i32.le_u (local.tee $from (i32.add (local.get $from) (i32.const 1))) (local.get $end))))
        (if (i32.ge_u (local.get $state) (local.get $accept)) (then
          (i32.store (local.get $to) (i32.or (i32.shl (local.get $end) (i32.const 16)) (local.get $state)))
          (local.set $to (i32.add (local.get $to) (i32.const 4)))))
        (br_if $places (local.tee $bits (i32.and (local.get $bits) (i32.sub (local.get $bits) (i32.const 1))))))))
    (br_if $blocks (i32.le_u
      (i32.add (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 16))
      (local.get $size))))
  ;; The state at the end is that of the last 32 bytes; up to 15 have not been looked at.
  (local.set $state (i32.const 0))
  (local.set $from (i32.sub (local.get $at) (i32.const 32)))
  (loop $last
    (local.set $state (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $state) (i32.load8_u offset=0x10000 (i32.load8_u offset=0x180000 (local.get $from)))) (i32.const 1))))
    (if (i32.and (i32.ge_u (local.get $from) (local.get $at)) (i32.ge_u (local.get $state) (local.get $accept))) (then
      (i32.store (local.get $to) (i32.or (i32.shl (local.get $from) (i32.const 16)) (local.get $state)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))))
    (br_if $last (i32.lt_u (local.tee $from (i32.add (local.get $from) (i32.const 1))) (local.get $size))))
  (i32.store (i32.const 0x1a8000) (i32.shr_u (i32.sub (local.get $to) (i32.const 0x188000)) (i32.const 2)))
  (i64.store (i32.const 0x1a8004) (i64.const 0))
  (i32.store (i32.const 0x1a800c) (i32.const 0))
  (local.get $state))
