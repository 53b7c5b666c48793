;; Where every byte of the input's bodies went: a table of one u32 per byte, filled while bodies are rewritten.
;;
;; An entry is the offset in the output that stands for the byte, with bit 31 set if the byte was left out. The map is
;; total and never goes back: the first byte of an instruction goes to the first byte of the rewritten one, the others
;; to as many bytes behind it as it has (of a call through a part of a table, to those of the call itself); the size in
;; front of a body likewise; a body that was left out goes to the end of the one before it. (Debugging information points
;; inside instructions, too: wasm-ld leaves the addresses of a weak definition that lost pointing into the one that won.)
;;
;; While a body is rewritten, an entry is the address of an instruction's output plus one, or 0 (reindex.wat,
;; writing.wat).

;; Address of the table, minus four times the address of the input; output's address, minus its offset in the whole.
(global $positions (mut i32) (i32.const 0))
(global $origin (mut i32) (i32.const 0))

(func (export "trace") (param $in i32) (param $size i32) (param $table i32) (param $out i32) (param $written i32)
  (global.set $positions (i32.sub (local.get $table) (i32.shl (local.get $in) (i32.const 2))))
  (global.set $origin (i32.sub (local.get $out) (local.get $written)))
  (memory.fill (local.get $table) (i32.const 0) (i32.shl (local.get $size) (i32.const 2))))

(func $note (param $in i32) (param $value i32)
  (i32.store (i32.add (global.get $positions) (i32.shl (local.get $in) (i32.const 2))) (local.get $value)))

(func $note_dropped (param $in i32) (param $end i32) (param $out i32)
  (local $value i32)
  (local.set $value (i32.or (i32.sub (local.get $out) (global.get $origin)) (i32.const 0x80000000)))
  (loop $more
    (call $note (local.get $in) (local.get $value))
    (local.set $in (i32.add (local.get $in) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $in) (local.get $end)))))

;; The bytes from `in` to `end`, of one instruction, went to those from `out` to `out_end` (at least one).
(func $note_span (param $in i32) (param $end i32) (param $out i32) (param $out_end i32)
  (local.set $out (i32.sub (local.get $out) (global.get $origin)))
  (local.set $out_end (i32.sub (local.get $out_end) (global.get $origin)))
  (loop $more
    (call $note (local.get $in) (local.get $out))
    (local.set $in (i32.add (local.get $in) (i32.const 1)))
    (local.set $out (i32.add (local.get $out)
      (i32.lt_u (i32.add (local.get $out) (i32.const 1)) (local.get $out_end))))
    (br_if $more (i32.lt_u (local.get $in) (local.get $end)))))

;; A body was rewritten: its size lies at `in`, its content from `start` to `end`; in the output the size is at `out`,
;; the content from `content` to `finish`, `moved` bytes behind where it was while instructions were noted.
(func $note_kept
  (param $in i32) (param $start i32) (param $end i32) (param $out i32) (param $content i32) (param $moved i32)
  (param $finish i32)
  (local $at i32) (local $value i32)
  (call $note_span (local.get $in) (local.get $start) (local.get $out) (local.get $content))
  (local.set $at (local.get $start))
  (loop $more
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (local.set $value
          (i32.load (i32.add (global.get $positions) (i32.shl (local.get $at) (i32.const 2)))))
        (br_if $more (i32.eqz (local.get $value)))
        (local.set $value (i32.add (i32.sub (local.get $value) (i32.const 1)) (local.get $moved))))
      (else (local.set $value (local.get $finish))))
    ;; an instruction ends here; the locals in front of the first one count as one
    (call $note_span (local.get $start) (local.get $at) (local.get $content) (local.get $value))
    (local.set $start (local.get $at))
    (local.set $content (local.get $value))
    (br_if $more (i32.lt_u (local.get $at) (local.get $end)))))
