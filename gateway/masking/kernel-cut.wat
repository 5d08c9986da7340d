;; Takes the control sequences out of `size` bytes (32768 at most) at 0x180000; `state`: of the last one before them, 0 where it was over,
;; 1 behind its ESC, 2 in its parameters, and `seen` how many bytes it had. Their text goes to 0x188000, each sequence or part of one as
;; its place in the text (upper half) and its size to 0x190000 and behind, up to 0x1b0000: where `scan` has its lists. Returns the size of the text; at 96 how many sequences, state, seen.
(func (export "cut") (param $size i32) (param $state i32) (param $seen i32) (result i32)
  (local $at i32) (local $out i32) (local $from i32) (local $list i32) (local $byte i32) (local $found i32) (local $v v128)
  (local.set $list (i32.const 0x190000))
  (block $over
    (loop $next
      (br_if $over (i32.ge_u (local.get $at) (local.get $size)))
      (if (i32.eqz (local.get $state))
        (then
          (block $end
            ;; Text is copied sixteen bytes at a time; what is copied behind an ESC is written over.
            (loop $text
              (br_if $end (i32.gt_u (i32.add (local.get $at) (i32.const 16)) (local.get $size)))
              (local.set $v (v128.load offset=0x180000 (local.get $at)))
              (v128.store offset=0x188000 (local.get $out) (local.get $v))
              (local.set $found (i8x16.bitmask (i8x16.eq (local.get $v) (v128.const i64x2 0x1b1b1b1b1b1b1b1b 0x1b1b1b1b1b1b1b1b))))
              (if (i32.eqz (local.get $found))
                (then
                  (local.set $at (i32.add (local.get $at) (i32.const 16)))
                  (local.set $out (i32.add (local.get $out) (i32.const 16)))
                  (br $text)))
              (local.set $found (i32.ctz (local.get $found)))
              (local.set $at (i32.add (local.get $at) (local.get $found)))
              (local.set $out (i32.add (local.get $out) (local.get $found)))
              (br $end)))
          (loop $bytes
            (br_if $over (i32.ge_u (local.get $at) (local.get $size)))
            (local.set $byte (i32.load8_u offset=0x180000 (local.get $at)))
            (if (i32.ne (local.get $byte) (i32.const 0x1b))
              (then
                (i32.store8 offset=0x188000 (local.get $out) (local.get $byte))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $out (i32.add (local.get $out) (i32.const 1)))
                (br $bytes))))
          (local.set $from (local.get $at))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $state (i32.const 1))
          (local.set $seen (i32.const 1)))
        (else
          (local.set $byte (i32.load8_u offset=0x180000 (local.get $at)))
          (local.set $seen (i32.add (local.get $seen) (i32.const 1)))
          (if (i32.eq (local.get $state) (i32.const 1))
            (then
              ;; What begins or ends the string of a title or a link parts that from the text beside it: its ESC is text, or where that was in
              ;; the bytes before these, the byte behind it.
              (if (i32.and (i32.eq (local.get $seen) (i32.const 2))
                    (i32.or (i32.eq (local.get $byte) (i32.const 0x5c)) (i32.eq (local.get $byte) (i32.const 0x5d))))
                (then
                  (i32.store8 offset=0x188000 (local.get $out) (select (i32.const 0x1b) (local.get $byte) (i32.gt_u (local.get $at) (local.get $from))))
                  (local.set $out (i32.add (local.get $out) (i32.const 1)))
                  (if (i32.gt_u (local.get $at) (local.get $from))
                    (then (local.set $from (local.get $at)))
                    (else (local.set $from (i32.add (local.get $at) (i32.const 1)))))))
              (if (i32.and (i32.eq (local.get $byte) (i32.const 0x5b)) (i32.eq (local.get $seen) (i32.const 2)))
                (then (local.set $state (i32.const 2)))
                (else (if (i32.or (i32.lt_u (local.get $byte) (i32.const 0x20)) (i32.gt_u (local.get $byte) (i32.const 0x2f)))
                  (then (local.set $state (i32.const 0)))))))
            (else (if (i32.or (i32.lt_u (local.get $byte) (i32.const 0x20)) (i32.gt_u (local.get $byte) (i32.const 0x3f)))
              (then (local.set $state (i32.const 0))))))
          ;; A byte that can be in no sequence ends it and is text: so is the beginning of the next.
          (if (i32.or (i32.ne (local.get $state) (i32.const 0))
                (i32.and (i32.ge_u (local.get $byte) (i32.const 0x30)) (i32.le_u (local.get $byte) (i32.const 0x7e))))
            (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
          ;; No terminal knows a longer one: what goes on is no sequence but bytes that happen to begin like one.
          (if (i32.gt_u (local.get $seen) (i32.const 64)) (then (local.set $state (i32.const 0))))
          (if (i32.eqz (local.get $state))
            (then
              (if (i32.gt_u (local.get $at) (local.get $from)) (then
                (i32.store (local.get $list) (i32.or (i32.shl (local.get $out) (i32.const 16)) (i32.sub (local.get $at) (local.get $from))))
                (local.set $list (i32.add (local.get $list) (i32.const 4)))))
              (local.set $from (local.get $at))))))
      (br $next)))
  (if (i32.and (i32.ne (local.get $state) (i32.const 0)) (i32.gt_u (local.get $size) (local.get $from))) (then
    (i32.store (local.get $list) (i32.or (i32.shl (local.get $out) (i32.const 16)) (i32.sub (local.get $size) (local.get $from))))
    (local.set $list (i32.add (local.get $list) (i32.const 4)))))
  (i32.store (i32.const 96) (i32.shr_u (i32.sub (local.get $list) (i32.const 0x190000)) (i32.const 2)))
  (i32.store (i32.const 100) (local.get $state))
  (i32.store (i32.const 104) (local.get $seen))
  (local.get $out))
