;; The field that triggers are being told of, the last one judged, and how many there are in which something may be.
(global $field (mut i32) (i32.const 0))
(global $last (mut i32) (i32.const 0))
(global $found (mut i32) (i32.const 0))

;; Judges the fields that the triggers from `list` to `end` stand in, in order, each by its first.
(func $tell (param $list i32) (param $end i32) (param $origin i32) (param $start i32) (param $accept i32)
  (local $at i32) (local $field i32) (local $hits i32) (local $judged i32)
  (local.set $field (global.get $field))
  (block $over
    (loop $next
      (br_if $over (i32.ge_u (local.get $list) (local.get $end)))
      (local.set $at (i32.load (local.get $list)))
      (loop $on
        (if (i32.le_u (i32.load offset=0x148004 (i32.shl (local.get $field) (i32.const 2))) (local.get $at)) (then
          (local.set $field (i32.add (local.get $field) (i32.const 1)))
          (br $on))))
      (if (i32.ne (local.get $field) (global.get $last)) (then
        (global.set $last (local.get $field))
        (local.set $hits (global.get $hits))
        (local.set $judged (call $judge
          (local.get $field) (local.get $at) (i32.load offset=4 (local.get $list)) (local.get $start) (local.get $accept)))
        (if (local.get $judged) (then
          (i32.store offset=0x148000
            (i32.shl (global.get $found) (i32.const 2))
            (i32.add (local.get $origin) (i32.load offset=0x88000 (i32.shl (local.get $field) (i32.const 3)))))
          (i32.store offset=0x220000
            (i32.shl (global.get $found) (i32.const 2))
            (select (local.get $hits) (i32.const -1) (i32.and
              (i32.eq (local.get $judged) (i32.const 1))
              (i32.eqz (i32.load8_u offset=0x5a8000 (local.get $field))))))
          (global.set $found (i32.add (global.get $found) (i32.const 1)))))))
      (local.set $list (i32.add (local.get $list) (i32.const 8)))
      (br $next)))
  (global.set $field (local.get $field)))

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

;; How many of `count` fields (one at least) something may stand in; where they begin, in bytes of which `origin` is the first here, then
;; stands at 0x148000, in order, and at 0x220000 their first hits. Names a field too many where it has to, never one too few: a field is
;; seen behind a line feed and whatever came before it, from which the automaton is in a state that waits for all its start state waits
;; for. Four lanes, as one waits for each byte's state before it can look up the next; each but the first begins 32 bytes early, behind
;; which its state is what it would have been. What one lane finds stands behind what those before it find.
(func (export "sift") (param $count i32) (param $origin i32) (param $start i32) (param $accept i32) (result i32)
  (local $a i32) (local $b i32) (local $c i32) (local $d i32)
  (local $aAt i32) (local $bAt i32) (local $cAt i32) (local $dAt i32)
  (local $aTo i32) (local $bTo i32) (local $cTo i32) (local $dTo i32)
  (local $end i32) (local $quarter i32) (local $i i32)
  (local.set $end (call $gather (local.get $count)))
  (i32.store offset=0x148000 (i32.shl (local.get $count) (i32.const 2)) (i32.add (local.get $end) (i32.const 1)))
  (global.set $hits (i32.const 0))
  (global.set $found (i32.const 0))
  (global.set $field (i32.const 0))
  (global.set $last (i32.const -1))
  (global.set $unit (i32.const 0))
  (local.set $aTo (i32.const 0x300000))
  (local.set $bTo (i32.const 0x3a0000))
  (local.set $cTo (i32.const 0x440000))
  (local.set $dTo (i32.const 0x4e0000))
  (global.set $shift (i32.sub (local.get $origin) (i32.const 0x40000)))
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
      ;; All negative where none accepts.
      (if (i32.ge_s
            (i32.and
              (i32.and (i32.sub (local.get $a) (local.get $accept)) (i32.sub (local.get $b) (local.get $accept)))
              (i32.and (i32.sub (local.get $c) (local.get $accept)) (i32.sub (local.get $d) (local.get $accept))))
            (i32.const 0))
        (then
          (if (i32.ge_u (local.get $a) (local.get $accept)) (then
            (i32.store (local.get $aTo) (i32.add (local.get $aAt) (local.get $i)))
            (i32.store offset=4 (local.get $aTo) (local.get $a))
            (local.set $aTo (i32.add (local.get $aTo) (i32.const 8)))))
          (if (i32.ge_u (local.get $b) (local.get $accept)) (then
            (i32.store (local.get $bTo) (i32.add (local.get $bAt) (local.get $i)))
            (i32.store offset=4 (local.get $bTo) (local.get $b))
            (local.set $bTo (i32.add (local.get $bTo) (i32.const 8)))))
          (if (i32.ge_u (local.get $c) (local.get $accept)) (then
            (i32.store (local.get $cTo) (i32.add (local.get $cAt) (local.get $i)))
            (i32.store offset=4 (local.get $cTo) (local.get $c))
            (local.set $cTo (i32.add (local.get $cTo) (i32.const 8)))))
          (if (i32.ge_u (local.get $d) (local.get $accept)) (then
            (i32.store (local.get $dTo) (i32.add (local.get $dAt) (local.get $i)))
            (i32.store offset=4 (local.get $dTo) (local.get $d))
            (local.set $dTo (i32.add (local.get $dTo) (i32.const 8)))))))
      (br_if $lanes (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $quarter))))
    (local.set $dAt (i32.add (local.get $dAt) (local.get $quarter)))))
  (block $over
    (loop $rest
      (br_if $over (i32.ge_u (local.get $dAt) (local.get $end)))
      (local.set $d (i32.load16_u offset=0x10400 (i32.shl (i32.add (local.get $d) (i32.load8_u offset=0x10000 (i32.load8_u (local.get $dAt)))) (i32.const 1))))
      (if (i32.ge_u (local.get $d) (local.get $accept)) (then
        (i32.store (local.get $dTo) (local.get $dAt))
        (i32.store offset=4 (local.get $dTo) (local.get $d))
        (local.set $dTo (i32.add (local.get $dTo) (i32.const 8)))))
      (local.set $dAt (i32.add (local.get $dAt) (i32.const 1)))
      (br $rest)))
  (call $tell (i32.const 0x300000) (local.get $aTo) (local.get $origin) (local.get $start) (local.get $accept))
  (call $tell (i32.const 0x3a0000) (local.get $bTo) (local.get $origin) (local.get $start) (local.get $accept))
  (call $tell (i32.const 0x440000) (local.get $cTo) (local.get $origin) (local.get $start) (local.get $accept))
  (call $tell (i32.const 0x4e0000) (local.get $dTo) (local.get $origin) (local.get $start) (local.get $accept))
  (global.get $found))

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
    (if (i32.ge_s
          (i32.and
            (i32.and (i32.sub (local.get $a) (local.get $accept)) (i32.sub (local.get $b) (local.get $accept)))
            (i32.and (i32.sub (local.get $c) (local.get $accept)) (i32.sub (local.get $d) (local.get $accept))))
          (i32.const 0))
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
