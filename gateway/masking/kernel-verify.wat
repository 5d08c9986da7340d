;; The four detectors that find something in most cells of personal data, as detect-pii.ts has them: `$low` and `$high` bound what is looked
;; at, `$at` is behind the trigger. Each returns start and end of what it found, in the upper and lower half, or 0.

(func $is (param $at i32) (param $part i32) (result i32)
  (i32.and (i32.load8_u offset=0x1b0000 (i32.load8_u (local.get $at))) (local.get $part)))

(func $hit (param $start i32) (param $end i32) (result i64)
  (i64.or (i64.shl (i64.extend_i32_u (local.get $start)) (i64.const 32)) (i64.extend_i32_u (local.get $end))))

(func $isHex (param $at i32) (result i32)
  (i32.or
    (i32.ne (call $is (local.get $at) (i32.const 64)) (i32.const 0))
    (i32.lt_u (i32.sub (i32.or (i32.load8_u (local.get $at)) (i32.const 0x20)) (i32.const 0x61)) (i32.const 6))))

;; Whether an escape ends before `$end`: a backslash and one of `bfnrtv`, or `u` and four hexadecimal digits.
(func $endsEscape (param $low i32) (param $end i32) (result i32)
  (local $letter i32)
  (if (i32.lt_s (i32.sub (local.get $end) (i32.const 2)) (local.get $low)) (then (return (i32.const 0))))
  (if (i32.eq (i32.load8_u (i32.sub (local.get $end) (i32.const 2))) (i32.const 0x5c)) (then
    (local.set $letter (i32.sub (i32.load8_u (i32.sub (local.get $end) (i32.const 1))) (i32.const 0x62)))
    (return (i32.and
      (i32.lt_u (local.get $letter) (i32.const 32))
      (i32.and (i32.shr_u (i32.const 0x151011) (local.get $letter)) (i32.const 1))))))
  (if (i32.lt_s (i32.sub (local.get $end) (i32.const 6)) (local.get $low)) (then (return (i32.const 0))))
  (if (i32.ne (i32.load16_u (i32.sub (local.get $end) (i32.const 6))) (i32.const 0x755c)) (then (return (i32.const 0))))
  (i32.and
    (i32.and
      (call $isHex (i32.sub (local.get $end) (i32.const 4)))
      (call $isHex (i32.sub (local.get $end) (i32.const 3))))
    (i32.and
      (call $isHex (i32.sub (local.get $end) (i32.const 2)))
      (call $isHex (i32.sub (local.get $end) (i32.const 1))))))

(func $pastEscape (param $low i32) (param $at i32) (param $high i32) (result i32)
  (if (i32.le_s (local.get $at) (local.get $low)) (then (return (local.get $at))))
  (if (i32.ne (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 0x5c)) (then (return (local.get $at))))
  (if (i32.lt_s (local.get $at) (local.get $high)) (then
    (if (call $endsEscape (local.get $low) (i32.add (local.get $at) (i32.const 1)))
      (then (return (i32.add (local.get $at) (i32.const 1)))))))
  (if (i32.le_s (i32.add (local.get $at) (i32.const 5)) (local.get $high)) (then
    (if (call $endsEscape (local.get $low) (i32.add (local.get $at) (i32.const 5)))
      (then (return (i32.add (local.get $at) (i32.const 5)))))))
  (local.get $at))

(func $email (param $low i32) (param $at i32) (param $high i32) (result i64)
  (local $sign i32) (local $start i32) (local $end i32) (local $limit i32) (local $dot i32) (local $byte i32) (local $letters i32)
  (local.set $sign (i32.sub (local.get $at) (i32.const 2)))
  (local.set $start (local.get $sign))
  (local.set $limit (i32.sub (local.get $sign) (i32.const 64)))
  (if (i32.lt_s (local.get $limit) (local.get $low)) (then (local.set $limit (local.get $low))))
  (block $begun
    (loop $local
      (br_if $begun (i32.le_s (local.get $start) (local.get $limit)))
      (br_if $begun (i32.eqz (i32.and
        (i32.load8_u offset=0x1b0000 (i32.load8_u (i32.sub (local.get $start) (i32.const 1)))) (i32.const 1))))
      (local.set $start (i32.sub (local.get $start) (i32.const 1)))
      (br $local)))
  (local.set $start (call $pastEscape (local.get $low) (local.get $start) (local.get $sign)))
  (block $edge
    (loop $inner
      (br_if $edge (i32.ge_s (local.get $start) (local.get $sign)))
      (local.set $byte (i32.load8_u (local.get $start)))
      (br_if $edge (i32.and (i32.load8_u offset=0x1b0000 (local.get $byte)) (i32.const 4)))
      (br_if $edge (i32.eq (local.get $byte) (i32.const 0x5f)))
      (local.set $start (i32.add (local.get $start) (i32.const 1)))
      (br $inner)))
  (if (i32.eq (local.get $start) (local.get $sign)) (then (return (i64.const 0))))
  (local.set $limit (i32.add (local.get $sign) (i32.const 256)))
  (if (i32.gt_s (local.get $limit) (local.get $high)) (then (local.set $limit (local.get $high))))
  (local.set $end (local.get $at))
  (block $over
    (loop $domain
      (br_if $over (i32.ge_s (local.get $end) (local.get $limit)))
      (br_if $over (i32.eqz (i32.and (i32.load8_u offset=0x1b0000 (i32.load8_u (local.get $end))) (i32.const 2))))
      (local.set $end (i32.add (local.get $end) (i32.const 1)))
      (br $domain)))
  (block $trimmed
    (loop $trim
      (br_if $trimmed (i32.le_s (local.get $end) (local.get $at)))
      (br_if $trimmed (call $is (i32.sub (local.get $end) (i32.const 1)) (i32.const 4)))
      (local.set $end (i32.sub (local.get $end) (i32.const 1)))
      (br $trim)))
  (local.set $dot (i32.sub (local.get $end) (i32.const 1)))
  (local.set $letters (i32.const 8))
  (block $found
    (loop $back
      (br_if $found (i32.le_s (local.get $dot) (local.get $sign)))
      (local.set $byte (i32.load8_u (local.get $dot)))
      (br_if $found (i32.eq (local.get $byte) (i32.const 0x2e)))
      (local.set $letters (i32.and (local.get $letters) (i32.load8_u offset=0x1b0000 (local.get $byte))))
      (local.set $dot (i32.sub (local.get $dot) (i32.const 1)))
      (br $back)))
  (if (i32.or
        (i32.le_s (local.get $dot) (i32.add (local.get $sign) (i32.const 1)))
        (i32.lt_s (i32.sub (local.get $end) (local.get $dot)) (i32.const 3)))
    (then (return (i64.const 0))))
  (if (i32.eq (i32.load8_u (i32.sub (local.get $dot) (i32.const 1))) (i32.const 0x2e)) (then (return (i64.const 0))))
  (if (i32.eqz (local.get $letters)) (then
    ;; Punycode: `xn--` and more.
    (if (i32.le_s (i32.sub (local.get $end) (local.get $dot)) (i32.const 5)) (then (return (i64.const 0))))
    (if (i32.ne (i32.load16_u offset=3 (local.get $dot)) (i32.const 0x2d2d)) (then (return (i64.const 0))))))
  (call $hit (local.get $start) (local.get $end)))

(func $isNumberStart (param $start i32) (param $low i32) (result i32)
  (local $before i32)
  (if (i32.le_s (local.get $start) (local.get $low)) (then (return (i32.eq (local.get $start) (local.get $low)))))
  (local.set $before (i32.load8_u (i32.sub (local.get $start) (i32.const 1))))
  (if (i32.and (i32.load8_u offset=0x1b0000 (local.get $before)) (i32.const 16))
    (then (return (call $endsEscape (local.get $low) (local.get $start)))))
  (if (i32.gt_u (i32.sub (local.get $before) (i32.const 0x2d)) (i32.const 1)) (then (return (i32.const 1))))
  (if (i32.lt_s (i32.sub (local.get $start) (i32.const 2)) (local.get $low)) (then (return (i32.const 1))))
  (i32.eqz (call $is (i32.sub (local.get $start) (i32.const 2)) (i32.const 32))))

(func $isNumberEnd (param $end i32) (param $high i32) (result i32)
  (local $after i32)
  (if (i32.ge_s (local.get $end) (local.get $high)) (then (return (i32.const 1))))
  (local.set $after (i32.load8_u (local.get $end)))
  (if (i32.and (i32.load8_u offset=0x1b0000 (local.get $after)) (i32.const 16)) (then (return (i32.const 0))))
  (if (i32.gt_u (i32.sub (local.get $after) (i32.const 0x2d)) (i32.const 1)) (then (return (i32.const 1))))
  (if (i32.ge_s (i32.add (local.get $end) (i32.const 1)) (local.get $high)) (then (return (i32.const 1))))
  ;; A hyphen before a letter or digit, a dot before a digit.
  (i32.eqz (call $is
    (i32.add (local.get $end) (i32.const 1))
    (select (i32.const 32) (i32.const 64) (i32.eq (local.get $after) (i32.const 0x2d))))))

(func $digit (param $at i32) (result i32) (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))

(func $ssn (param $low i32) (param $at i32) (param $high i32) (result i64)
  (local $start i32) (local $end i32) (local $area i32) (local $group i32) (local $serial i32)
  (local.set $start (i32.sub (local.get $at) (i32.const 8)))
  (local.set $end (i32.add (local.get $at) (i32.const 3)))
  (if (i32.gt_s (local.get $end) (local.get $high)) (then (return (i64.const 0))))
  (if (i32.eqz (i32.and
        (i32.and (call $is (local.get $at) (i32.const 64)) (call $is (i32.add (local.get $at) (i32.const 1)) (i32.const 64)))
        (call $is (i32.add (local.get $at) (i32.const 2)) (i32.const 64))))
    (then (return (i64.const 0))))
  (if (i32.eqz (call $isNumberStart (local.get $start) (local.get $low))) (then (return (i64.const 0))))
  (if (i32.eqz (call $isNumberEnd (local.get $end) (local.get $high))) (then (return (i64.const 0))))
  (local.set $area (i32.add
    (i32.add (i32.mul (call $digit (local.get $start)) (i32.const 100))
      (i32.mul (call $digit (i32.add (local.get $start) (i32.const 1))) (i32.const 10)))
    (call $digit (i32.add (local.get $start) (i32.const 2)))))
  (local.set $group (i32.add
    (i32.mul (call $digit (i32.add (local.get $start) (i32.const 4))) (i32.const 10))
    (call $digit (i32.add (local.get $start) (i32.const 5)))))
  (local.set $serial (i32.add
    (i32.add (i32.mul (call $digit (i32.add (local.get $start) (i32.const 7))) (i32.const 1000))
      (i32.mul (call $digit (i32.add (local.get $start) (i32.const 8))) (i32.const 100)))
    (i32.add (i32.mul (call $digit (i32.add (local.get $start) (i32.const 9))) (i32.const 10))
      (call $digit (i32.add (local.get $start) (i32.const 10))))))
  (if (i32.or
        (i32.or (i32.eqz (local.get $area)) (i32.eq (local.get $area) (i32.const 666)))
        (i32.or (i32.ge_s (local.get $area) (i32.const 900))
          (i32.or (i32.eqz (local.get $group)) (i32.eqz (local.get $serial)))))
    (then (return (i64.const 0))))
  (if (i32.and
        (i32.and (i32.eq (local.get $area) (i32.const 78)) (i32.eq (local.get $group) (i32.const 5)))
        (i32.eq (local.get $serial) (i32.const 1120)))
    (then (return (i64.const 0))))
  (if (i32.and
        (i32.and (i32.eq (local.get $area) (i32.const 219)) (i32.eq (local.get $group) (i32.const 9)))
        (i32.eq (local.get $serial) (i32.const 9999)))
    (then (return (i64.const 0))))
  (call $hit (local.get $start) (local.get $end)))

(func $card (param $low i32) (param $at i32) (param $high i32) (result i64)
  (local $separator i32) (local $grouped i32) (local $start i32) (local $end i32) (local $index i32) (local $byte i32) (local $first i32)
  (local $count i32) (local $digit i32) (local $doubled i32) (local $four i32) (local $even i32) (local $odd i32) (local $uniform i32)
  (local.set $separator (i32.load8_u (i32.sub (local.get $at) (i32.const 1))))
  (local.set $grouped (i32.or (i32.eq (local.get $separator) (i32.const 0x20)) (i32.eq (local.get $separator) (i32.const 0x2d))))
  (local.set $start (i32.sub (local.get $at)
    (select
      (i32.const 10)
      (i32.const 12)
      (i32.and (local.get $grouped)
        (i32.eq (i32.load8_u (i32.sub (local.get $at) (i32.const 6))) (local.get $separator))))))
  (if (i32.lt_s (local.get $start) (local.get $low)) (then (return (i64.const 0))))
  (if (i32.eqz (call $isNumberStart (local.get $start) (local.get $low))) (then (return (i64.const 0))))
  (local.set $end (local.get $start))
  (local.set $index (local.get $start))
  (local.set $first (i32.load8_u (local.get $start)))
  (local.set $uniform (i32.const 1))
  (block $over
    (loop $next
      (br_if $over (i32.ge_s (local.get $index) (local.get $high)))
      (local.set $byte (i32.load8_u (local.get $index)))
      (local.set $digit (i32.sub (local.get $byte) (i32.const 48)))
      (if (i32.lt_u (local.get $digit) (i32.const 10))
        (then
          (if (i32.eq (local.get $count) (i32.const 19)) (then (return (i64.const 0))))
          (local.set $doubled (i32.sub
            (i32.shl (local.get $digit) (i32.const 1))
            (i32.mul (i32.gt_u (local.get $digit) (i32.const 4)) (i32.const 9))))
          (if (i32.lt_u (local.get $count) (i32.const 4))
            (then (local.set $four (i32.add (i32.mul (local.get $four) (i32.const 10)) (local.get $digit)))))
          (local.set $uniform (i32.and (local.get $uniform) (i32.eq (local.get $byte) (local.get $first))))
          (local.set $even (i32.add (local.get $even)
            (select (local.get $digit) (local.get $doubled) (i32.and (local.get $count) (i32.const 1)))))
          (local.set $odd (i32.add (local.get $odd)
            (select (local.get $doubled) (local.get $digit) (i32.and (local.get $count) (i32.const 1)))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $end (i32.add (local.get $index) (i32.const 1))))
        (else
          (br_if $over (i32.or (i32.eqz (local.get $grouped)) (i32.ne (local.get $byte) (local.get $separator))))
          (br_if $over (i32.and (local.get $count) (i32.const 1)))
          (br_if $over (i32.ge_s (i32.add (local.get $index) (i32.const 1)) (local.get $high)))
          (br_if $over (i32.eqz (call $is (i32.add (local.get $index) (i32.const 1)) (i32.const 64))))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br $next)))
  (if (i32.eqz (call $isNumberEnd (local.get $end) (local.get $high))) (then (return (i64.const 0))))
  (if (i32.or (local.get $uniform) (i32.lt_u (local.get $count) (i32.const 12))) (then (return (i64.const 0))))
  (if (i32.rem_u
        (select (local.get $odd) (local.get $even) (i32.and (local.get $count) (i32.const 1)))
        (i32.const 10))
    (then (return (i64.const 0))))
  (if (i32.eqz (i32.and (i32.const 1)
        (i32.shr_u (i32.load8_u offset=0x1c1000 (local.get $four)) (i32.sub (local.get $count) (i32.const 12)))))
    (then (return (i64.const 0))))
  (call $hit (local.get $start) (local.get $end)))

(func $modulo97 (param $remainder i32) (param $byte i32) (result i32)
  (i32.rem_u
    (if (result i32) (i32.le_u (local.get $byte) (i32.const 0x39))
      (then (i32.add (i32.mul (local.get $remainder) (i32.const 10)) (i32.sub (local.get $byte) (i32.const 48))))
      (else (i32.add (i32.mul (local.get $remainder) (i32.const 100)) (i32.sub (local.get $byte) (i32.const 55)))))
    (i32.const 97)))

(func $iban (param $low i32) (param $at i32) (param $high i32) (result i64)
  (local $start i32) (local $wanted i32) (local $count i32) (local $remainder i32) (local $index i32) (local $byte i32)
  (local.set $start (i32.sub (local.get $at) (i32.const 6)))
  (if (i32.lt_s (local.get $start) (local.get $low)) (then (return (i64.const 0))))
  (if (i32.gt_s (local.get $start) (local.get $low)) (then
    (if (i32.and
          (i32.ne (call $is (i32.sub (local.get $start) (i32.const 1)) (i32.const 16)) (i32.const 0))
          (i32.eqz (call $endsEscape (local.get $low) (local.get $start))))
      (then (return (i64.const 0))))))
  (local.set $wanted (i32.load8_u offset=0x1b0100 (i32.add
    (i32.mul (i32.sub (i32.load8_u (local.get $start)) (i32.const 65)) (i32.const 26))
    (i32.sub (i32.load8_u offset=1 (local.get $start)) (i32.const 65)))))
  (if (i32.eqz (local.get $wanted)) (then (return (i64.const 0))))
  (local.set $index (local.get $start))
  (block $over
    (loop $next
      (br_if $over (i32.or
        (i32.ge_s (local.get $index) (local.get $high))
        (i32.ge_u (local.get $count) (local.get $wanted))))
      (local.set $byte (i32.load8_u (local.get $index)))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $next (i32.and
        (i32.eq (local.get $byte) (i32.const 0x20))
        (i32.eqz (i32.and (local.get $count) (i32.const 3)))))
      (if (i32.eqz (i32.and (i32.load8_u offset=0x1b0000 (local.get $byte)) (i32.const 128))) (then (return (i64.const 0))))
      (if (i32.ge_u (local.get $count) (i32.const 4))
        (then (local.set $remainder (call $modulo97 (local.get $remainder) (local.get $byte)))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br $next)))
  (if (i32.lt_u (local.get $count) (local.get $wanted)) (then (return (i64.const 0))))
  (if (i32.lt_s (local.get $index) (local.get $high)) (then
    (if (call $is (local.get $index) (i32.const 16)) (then (return (i64.const 0))))))
  (local.set $count (i32.const 0))
  (loop $moved
    (local.set $remainder (call $modulo97 (local.get $remainder) (i32.load8_u (i32.add (local.get $start) (local.get $count)))))
    (br_if $moved (i32.lt_u (local.tee $count (i32.add (local.get $count) (i32.const 1))) (i32.const 4))))
  (if (i32.ne (local.get $remainder) (i32.const 1)) (then (return (i64.const 0))))
  (call $hit (local.get $start) (local.get $index)))
