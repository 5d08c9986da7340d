;; The unit that a field found last stands in.
(global $unit (mut i32) (i32.const 0))

(func $swap (param $word i32) (result i32)
  (i32.or
    (i32.and (i32.rotl (local.get $word) (i32.const 8)) (i32.const 0x00ff00ff))
    (i32.and (i32.rotr (local.get $word) (i32.const 8)) (i32.const 0xff00ff00))))

;; Bytes from `from` to `end` are written to `to`, and up to 15 more, which are written over later. Returns where the next go.
(func $copy (param $from i32) (param $end i32) (param $to i32) (result i32)
  (local $after i32)
  (local.set $after (i32.add (local.get $to) (i32.sub (local.get $end) (local.get $from))))
  (loop $blocks
    (if (i32.lt_u (local.get $from) (local.get $end)) (then
      (v128.store (local.get $to) (v128.load (local.get $from)))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (br $blocks))))
  (local.get $after))

;; Adds to a length word, which has its highest byte first.
(func $lengthen (param $at i32) (param $by i32)
  (i32.store (local.get $at) (call $swap (i32.add (call $swap (i32.load (local.get $at))) (local.get $by)))))

;; Writes the fields told last from the bytes at `from` (of which `sift` was told where they begin) to the last mask, from suspect `suspect` on
;; up to `count`, as far as all their hits are known here; spans count from `base`. `framing`: 0, fields stand as they are; 1, in units that each
;; begin with a length word (at 0x580000 where they begin, `units` of them); 2, and each field has one of its own before it. A unit is written when
;; all of its suspects are known. What it leaves at 0x70: up to where the source has been written; the next suspect; where the output at
;; 0x300000 ends; where the spans at 0x4e0000 do; which label each detector has, a byte each, 255 where none; the next label.
(func (export "cover")
  (param $from i32) (param $suspect i32) (param $count i32) (param $base i32) (param $framing i32) (param $units i32)
  (local $to i32) (local $span i32) (local $labels i32) (local $next i32) (local $first i32) (local $field i32) (local $begin i32)
  (local $unitTo i32) (local $current i32) (local $fieldTo i32) (local $record i32) (local $left i32) (local $delta i32)
  (local $text i32) (local $size i32) (local $shift i32) (local $index i32) (local $last i32)
  (local $keptFrom i32) (local $keptTo i32) (local $keptSpan i32) (local $keptSuspect i32) (local $keptLabels i32) (local $keptNext i32)
  (local.set $from (i32.sub (local.get $from) (global.get $shift)))
  (local.set $to (i32.const 0x300000))
  (local.set $span (i32.const 0x4e0000))
  (local.set $labels (i32.load (i32.const 0x80)))
  (local.set $next (i32.load (i32.const 0x84)))
  (local.set $base (i32.sub (local.get $base) (i32.const 0x300000)))
  (local.set $current (i32.const -1))
  (local.set $unitTo (i32.const 0))
  (local.set $last (i32.sub (local.get $units) (i32.const 1)))
  (block $over
    (loop $suspects
      (br_if $over (i32.ge_u (local.get $suspect) (local.get $count)))
      (local.set $first (i32.load offset=0x220000 (i32.shl (local.get $suspect) (i32.const 2))))
      (local.set $field (i32.sub (i32.load offset=0x148000 (i32.shl (local.get $suspect) (i32.const 2))) (global.get $shift)))
      (if (local.get $framing) (then
        (local.set $index (global.get $unit))
        (loop $on
          (if (i32.lt_u (local.get $index) (local.get $last)) (then
            (if (i32.le_u (i32.load offset=0x580004 (i32.shl (local.get $index) (i32.const 2))) (local.get $field)) (then
              (local.set $index (i32.add (local.get $index) (i32.const 1)))
              (br $on))))))
        (global.set $unit (local.get $index))
        (if (i32.ne (local.get $index) (local.get $current)) (then
          (local.set $current (local.get $index))
          (local.set $begin (i32.load offset=0x580000 (i32.shl (local.get $index) (i32.const 2))))
          (local.set $to (call $copy (local.get $from) (local.get $begin) (local.get $to)))
          (local.set $from (local.get $begin))
          (local.set $unitTo (local.get $to))
          (local.set $keptFrom (local.get $from))
          (local.set $keptTo (local.get $to))
          (local.set $keptSpan (local.get $span))
          (local.set $keptSuspect (local.get $suspect))
          (local.set $keptLabels (local.get $labels))
          (local.set $keptNext (local.get $next))))))
      (if (i32.lt_s (local.get $first) (i32.const 0)) (then
        (if (local.get $framing) (then
          (local.set $from (local.get $keptFrom))
          (local.set $to (local.get $keptTo))
          (local.set $span (local.get $keptSpan))
          (local.set $suspect (local.get $keptSuspect))
          (local.set $labels (local.get $keptLabels))
          (local.set $next (local.get $keptNext))))
        (br $over)))
      (local.set $to (call $copy (local.get $from) (local.get $field) (local.get $to)))
      (local.set $from (local.get $field))
      (local.set $fieldTo (local.get $to))
      (local.set $delta (i32.const 0))
      (local.set $record (i32.add (i32.const 0x250000) (i32.shl (local.get $first) (i32.const 5))))
      (local.set $left (i32.load16_u offset=10 (local.get $record)))
      (loop $hits
        (local.set $to (call $copy
          (local.get $from) (i32.sub (i32.load (local.get $record)) (global.get $shift)) (local.get $to)))
        (local.set $from (i32.sub (i32.load offset=4 (local.get $record)) (global.get $shift)))
        (local.set $begin (local.get $to))
        (local.set $index (i32.load16_u offset=8 (local.get $record)))
        (local.set $text (i32.add (i32.const 0x1b0504) (i32.shl (local.get $index) (i32.const 7))))
        (local.set $to (call $copy
          (local.get $text)
          (i32.add (local.get $text) (i32.load offset=0x1b0500 (i32.shl (local.get $index) (i32.const 7))))
          (local.get $to)))
        (if (i32.load8_u offset=0x1b0480 (local.get $index)) (then
          (i64.store (local.get $to) (i64.load offset=20 (local.get $record)))
          (i32.store offset=8 (local.get $to) (i32.load offset=28 (local.get $record)))
          (i32.store8 offset=12 (local.get $to) (i32.const 0x5d))
          (local.set $to (i32.add (local.get $to) (i32.const 13)))))
        (local.set $size (i32.sub (local.get $to) (local.get $begin)))
        (local.set $delta (i32.sub
          (i32.add (local.get $delta) (local.get $size))
          (i32.sub (i32.load offset=4 (local.get $record)) (i32.load (local.get $record)))))
        (local.set $shift (i32.shl (local.get $index) (i32.const 3)))
        (local.set $index (i32.and (i32.shr_u (local.get $labels) (local.get $shift)) (i32.const 255)))
        (if (i32.eq (local.get $index) (i32.const 255)) (then
          (local.set $index (local.get $next))
          (local.set $next (i32.add (local.get $next) (i32.const 1)))
          (local.set $labels (i32.xor (local.get $labels)
            (i32.shl (i32.xor (i32.const 255) (local.get $index)) (local.get $shift))))))
        (i32.store (local.get $span) (call $swap (i32.add (local.get $base) (local.get $begin))))
        (i32.store offset=4 (local.get $span) (call $swap (i32.or (i32.shl (local.get $size) (i32.const 8)) (local.get $index))))
        (i32.store offset=8 (local.get $span) (call $swap (i32.load offset=16 (local.get $record))))
        (i32.store offset=12 (local.get $span) (call $swap (i32.load offset=12 (local.get $record))))
        (local.set $span (i32.add (local.get $span) (i32.const 16)))
        (local.set $record (i32.add (local.get $record) (i32.const 32)))
        (br_if $hits (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (if (local.get $framing) (then
        (call $lengthen (local.get $unitTo) (local.get $delta))
        (if (i32.eq (local.get $framing) (i32.const 2)) (then
          (call $lengthen (i32.sub (local.get $fieldTo) (i32.const 4)) (local.get $delta))))))
      (local.set $suspect (i32.add (local.get $suspect) (i32.const 1)))
      (br $suspects)))
  (i32.store (i32.const 0x70) (i32.add (local.get $from) (global.get $shift)))
  (i32.store (i32.const 0x74) (local.get $suspect))
  (i32.store (i32.const 0x78) (local.get $to))
  (i32.store (i32.const 0x7c) (local.get $span))
  (i32.store (i32.const 0x80) (local.get $labels))
  (i32.store (i32.const 0x84) (local.get $next)))
