;; SipHash-2-4 of `size` bytes at `at` under both keys at `keys`; the results go to `to`. A longer value comes in pieces, all but the last a
;; multiple of 8 bytes: `first` starts from the keys, `last` ends with the length of it all.
(func $sip (export "sip")
  (param $at i32) (param $size i32) (param $total i32) (param $first i32) (param $last i32) (param $keys i32) (param $to i32)
  (local $v0 v128) (local $v1 v128) (local $v2 v128) (local $v3 v128) (local $m v128)
  (local $end i32) (local $rounds i32) (local $stage i32)
  (if (local.get $first)
    (then
      (local.set $v0 (v128.xor (v128.load (local.get $keys)) (v128.const i64x2 0x736f6d6570736575 0x736f6d6570736575)))
      (local.set $v1 (v128.xor (v128.load offset=16 (local.get $keys)) (v128.const i64x2 0x646f72616e646f6d 0x646f72616e646f6d)))
      (local.set $v2 (v128.xor (v128.load (local.get $keys)) (v128.const i64x2 0x6c7967656e657261 0x6c7967656e657261)))
      (local.set $v3 (v128.xor (v128.load offset=16 (local.get $keys)) (v128.const i64x2 0x7465646279746573 0x7465646279746573))))
    (else
      (local.set $v0 (v128.load (i32.const 32)))
      (local.set $v1 (v128.load (i32.const 48)))
      (local.set $v2 (v128.load (i32.const 64)))
      (local.set $v3 (v128.load (i32.const 80)))))
  (local.set $end (i32.add (local.get $at) (i32.and (local.get $size) (i32.const -8))))
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
            (v128.store (local.get $to)
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

;; The first of both, where the other is not asked for, in plain registers, which have rotations: two thirds of the time.
(func $hashOne (param $at i32) (param $size i32) (param $keys i32) (param $to i32)
  (local $a0 i64) (local $a1 i64) (local $a2 i64) (local $a3 i64) (local $m i64)
  (local $end i32) (local $rounds i32) (local $stage i32)
  (local.set $a0 (i64.xor (i64.load (local.get $keys)) (i64.const 0x736f6d6570736575)))
  (local.set $a1 (i64.xor (i64.load offset=16 (local.get $keys)) (i64.const 0x646f72616e646f6d)))
  (local.set $a2 (i64.xor (i64.load (local.get $keys)) (i64.const 0x6c7967656e657261)))
  (local.set $a3 (i64.xor (i64.load offset=16 (local.get $keys)) (i64.const 0x7465646279746573)))
  (local.set $end (i32.add (local.get $at) (i32.and (local.get $size) (i32.const -8))))
  (loop $next
    (local.set $rounds (i32.const 2))
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (local.set $m (i64.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 8))))
      (else
        (if (i32.eq (local.get $stage) (i32.const 2))
          (then
            (i64.store (local.get $to)
              (i64.xor (i64.xor (local.get $a0) (local.get $a1)) (i64.xor (local.get $a2) (local.get $a3))))
            (return)))
        (if (local.get $stage)
          (then
            (local.set $m (i64.const 0))
            (local.set $a2 (i64.xor (local.get $a2) (i64.const 0xff)))
            (local.set $rounds (i32.const 4)))
          (else
            (local.set $m (i64.or
              (i64.and (i64.load (local.get $at))
                (i64.sub
                  (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (i32.and (local.get $size) (i32.const 7)) (i32.const 3))))
                  (i64.const 1)))
              (i64.shl (i64.extend_i32_u (local.get $size)) (i64.const 56))))))
        (local.set $stage (i32.add (local.get $stage) (i32.const 1)))))
    (local.set $a3 (i64.xor (local.get $a3) (local.get $m)))
    (loop $round
      (local.set $a0 (i64.add (local.get $a0) (local.get $a1)))
      (local.set $a2 (i64.add (local.get $a2) (local.get $a3)))
      (local.set $a1 (i64.xor (i64.rotl (local.get $a1) (i64.const 13)) (local.get $a0)))
      (local.set $a3 (i64.xor (i64.rotl (local.get $a3) (i64.const 16)) (local.get $a2)))
      (local.set $a0 (i64.add (i64.rotl (local.get $a0) (i64.const 32)) (local.get $a3)))
      (local.set $a2 (i64.add (local.get $a2) (local.get $a1)))
      (local.set $a1 (i64.xor (i64.rotl (local.get $a1) (i64.const 17)) (local.get $a2)))
      (local.set $a3 (i64.xor (i64.rotl (local.get $a3) (i64.const 21)) (local.get $a0)))
      (local.set $a2 (i64.rotl (local.get $a2) (i64.const 32)))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.set $a0 (i64.xor (local.get $a0) (local.get $m)))
    (br $next)))
