;; How many hits there are so far, and the offset of the fields' bytes where they came from, less 0x40000.
(global $hits (mut i32) (i32.const 0))
(global $shift (mut i32) (i32.const 0))

;; The upper 48 bits of a hit's second hash as hex digits, in their place.
(func $digits (param $record i32)
  (local $bytes v128)
  (local.set $bytes (v128.load64_splat offset=20 (local.get $record)))
  (local.set $bytes (i8x16.shuffle 7 7 6 6 5 5 4 4 3 3 2 2 1 1 0 0 (local.get $bytes) (local.get $bytes)))
  (local.set $bytes (i8x16.swizzle
    (v128.const i8x16 0x30 0x31 0x32 0x33 0x34 0x35 0x36 0x37 0x38 0x39 0x61 0x62 0x63 0x64 0x65 0x66)
    (v128.bitselect
      (i8x16.shr_u (local.get $bytes) (i32.const 4))
      (v128.and (local.get $bytes) (i8x16.splat (i32.const 15)))
      (v128.const i16x8 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff))))
  (i64.store offset=20 (local.get $record) (i64x2.extract_lane 0 (local.get $bytes)))
  (i32.store offset=28 (local.get $record) (i32x4.extract_lane 2 (local.get $bytes))))

;; What stands in the field, whose first trigger ends at `at` among the bytes gathered, in this state. 0: nothing. 1: hits, which stand behind those there were. 2: detectors that are not
;; here have to be asked, or too much work has been done: then there are no more hits than there were. As `collect` in engine.ts.
(func $judge (param $index i32) (param $at i32) (param $state i32) (param $start i32) (param $accept i32) (result i32)
  (local $from i32) (local $to i32) (local $size i32) (local $floor i32) (local $low i32) (local $high i32)
  (local $asked i32) (local $work i32) (local $count i32) (local $found i64) (local $detector i32) (local $record i32) (local $keys i32)
  (local.set $size (i32.load offset=0x88004 (i32.shl (local.get $index) (i32.const 3))))
  (local.set $from (i32.add (i32.const 0x40000) (i32.load offset=0x88000 (i32.shl (local.get $index) (i32.const 3)))))
  (local.set $to (i32.add (local.get $from) (local.get $size)))
  (local.set $floor (local.get $from))
  (local.set $count (global.get $hits))
  (local.set $at (i32.add (i32.const 1) (i32.sub
    (local.get $at)
    (i32.load offset=0x148000 (i32.shl (local.get $index) (i32.const 2))))))
  (if (i32.eq (local.get $size) (i32.sub
        (i32.sub
          (i32.load offset=0x148004 (i32.shl (local.get $index) (i32.const 2)))
          (i32.load offset=0x148000 (i32.shl (local.get $index) (i32.const 2))))
        (i32.const 1)))
    (then
      ;; It ends in the line feed behind the field.
      (if (i32.gt_u (local.get $at) (local.get $size)) (then (return (i32.const 0)))))
    ;; Bytes were left out where they were gathered.
    (else
      (local.set $at (i32.const 0))
      (local.set $state (local.get $start))))
  (local.set $at (i32.add (local.get $at) (local.get $from)))
  ;; What engine.ts allows, of which a candidate costs here what it may cost at most there.
  (local.set $work (i32.add (i32.const 65536) (i32.shl (local.get $size) (i32.const 3))))
  (loop $next
    (if (i32.ge_u (local.get $state) (local.get $accept)) (then
      (local.set $asked (i32.load8_u offset=0x1b1000 (i32.sub (local.get $state) (local.get $accept))))
      (if (local.get $asked) (then
        (local.set $work (i32.sub (local.get $work) (i32.const 264)))
        (if (i32.or (i32.and (local.get $asked) (i32.const 128)) (i32.lt_s (local.get $work) (i32.const 0)))
          (then (return (i32.const 2))))
        (local.set $low (i32.sub (local.get $at) (i32.const 128)))
        (if (i32.lt_s (local.get $low) (local.get $floor)) (then (local.set $low (local.get $floor))))
        (local.set $high (i32.add (local.get $at) (i32.const 2560)))
        (if (i32.gt_s (local.get $high) (local.get $to)) (then (local.set $high (local.get $to))))
        (local.set $found (i64.const 0))
        (if (i32.and (local.get $asked) (i32.const 1)) (then
          (local.set $detector (i32.const 0))
          (local.set $found (call $email (local.get $low) (local.get $at) (local.get $high)))))
        (if (i32.and (i64.eqz (local.get $found)) (i32.shr_u (i32.and (local.get $asked) (i32.const 2)) (i32.const 1))) (then
          (local.set $detector (i32.const 1))
          (local.set $found (call $ssn (local.get $low) (local.get $at) (local.get $high)))))
        (if (i32.and (i64.eqz (local.get $found)) (i32.shr_u (i32.and (local.get $asked) (i32.const 4)) (i32.const 2))) (then
          (local.set $detector (i32.const 2))
          (local.set $found (call $card (local.get $low) (local.get $at) (local.get $high)))))
        (if (i32.and (i64.eqz (local.get $found)) (i32.shr_u (i32.and (local.get $asked) (i32.const 8)) (i32.const 3))) (then
          (local.set $detector (i32.const 3))
          (local.set $found (call $iban (local.get $low) (local.get $at) (local.get $high)))))
        (if (i64.ne (local.get $found) (i64.const 0)) (then
          (if (i32.eq (local.get $count) (i32.const 0x4000)) (then (return (i32.const 2))))
          (local.set $low (i32.wrap_i64 (i64.shr_u (local.get $found) (i64.const 32))))
          (local.set $floor (i32.wrap_i64 (local.get $found)))
          (local.set $record (i32.add (i32.const 0x250000) (i32.shl (local.get $count) (i32.const 5))))
          (i32.store (local.get $record) (i32.add (local.get $low) (global.get $shift)))
          (i32.store offset=4 (local.get $record) (i32.add (local.get $floor) (global.get $shift)))
          (i32.store offset=8 (local.get $record) (local.get $detector))
          (local.set $keys (i32.add (i32.const 0x1b0400) (i32.shl (local.get $detector) (i32.const 5))))
          (local.set $size (i32.sub (local.get $floor) (local.get $low)))
          (if (i32.load8_u offset=0x1b0480 (local.get $detector))
            (then
              (call $sip
                (local.get $low) (local.get $size) (local.get $size) (i32.const 1) (i32.const 1)
                (local.get $keys) (i32.add (local.get $record) (i32.const 12)))
              (call $digits (local.get $record)))
            (else
              (call $hashOne (local.get $low) (local.get $size) (local.get $keys) (i32.add (local.get $record) (i32.const 12)))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          ;; The last byte of what was found is read again: it may be what a trigger begins with.
          (local.set $at (i32.sub (local.get $floor) (i32.const 1)))
          (local.set $state (local.get $start))))))))
    (if (i32.lt_u (local.get $at) (local.get $to)) (then
      (local.set $state (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $state) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $at)))) (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))))
  (if (i32.eq (local.get $count) (global.get $hits)) (then (return (i32.const 0))))
  (i32.store16 offset=0x25000a (i32.shl (global.get $hits) (i32.const 5)) (i32.sub (local.get $count) (global.get $hits)))
  (global.set $hits (local.get $count))
  (i32.const 1))
