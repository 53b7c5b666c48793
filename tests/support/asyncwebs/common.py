"""What all guests have in common, as text: slots, tasks, calls, events, copies, and what others give and take.

A guest keeps its handles in slots in its memory, with what it knows of them, and tells the host all that it is told:
states, handles, events, payloads, values.

  0x010  events           0x100  slots: handles        0x400  the buffer that is written from, 0x480 its strings
  0x0C0  flat results     0x180  slots: what of them   0x600  the buffer that is read into
  0x200  results of calls, 16 bytes for each slot      0x1000 what realloc gives
                                                       0x800  tasks: step, argument, two words more

What is known of a slot: 0 idle, 1 a copy or call is going on, 2 a subtask is over, 4 an end is done.
"""

from __future__ import annotations

from typing import Final

from tests.support.asyncwebs.elements import Element


def common(element: Element) -> str:
    return _COMMON.replace("@MAKE@", _make(element))


def _make(element: Element) -> str:
    """Elements that are made when they are wanted: `n` of them."""
    if element.made is None:
        return ""
    made = "(call $make (i32.add (local.get $n) (i32.const 300)))" if element.made == "make" else "(call $spare)"
    return f"""
      loop $more
        (if (local.get $n)
          (then
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (i32.store offset=0x400 (i32.shl (local.get $n) (i32.const 2)) {made})
            (br $more)))
      end"""


_COMMON: Final = """
    (global $tasks (mut i32) (i32.const 0))
    (func $note (param i32) (result i32) (call $log (local.get 0)) (local.get 0))
    ;; words, and what is at them where they can be what realloc gave
    (func $words (param $at i32) (param $n i32) (local $word i32)
      loop $more
        (local.set $word (call $note (i32.load (local.get $at))))
        (if (i32.lt_u (i32.sub (local.get $word) (i32.const 0x1000)) (i32.const 0xEFF0))
          (then (call $log (i32.load (local.get $word)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
      end)
    (func $show (call $words (i32.const 0x600) (i32.const 8)))

    ;; slots
    (func $get (param $s i32) (result i32) (i32.load offset=0x100 (i32.shl (local.get $s) (i32.const 2))))
    (func $known (param $s i32) (result i32) (i32.load offset=0x180 (i32.shl (local.get $s) (i32.const 2))))
    (func $mark (param $s i32) (param $known i32)
      (i32.store offset=0x180 (i32.shl (local.get $s) (i32.const 2)) (local.get $known)))
    (func $put (param $s i32) (param $handle i32)
      (i32.store offset=0x100 (i32.shl (local.get $s) (i32.const 2)) (local.get $handle))
      (call $mark (local.get $s) (i32.const 0)))
    (func $clear (param $s i32) (call $put (local.get $s) (i32.const 0)))
    (func $exists (param $s i32) (result i32) (i32.ne (call $get (local.get $s)) (i32.const 0)))
    (func $idle (param $s i32) (result i32)
      (i32.and (call $exists (local.get $s)) (i32.eqz (call $known (local.get $s)))))

    ;; tasks
    (func $begin
      (if (i32.eqz (call $get (i32.const 10))) (then (call $put (i32.const 10) (call $set-new))))
      (if (i32.eqz (call $get (i32.const 11))) (then (call $put (i32.const 11) (call $set-new)))))
    (func $enter (param $pc i32) (param $x i32) (param $y i32) (param $borrow i32) (local $at i32)
      (call $begin)
      (call $log (i32.add (i32.const 2000) (call $context-get)))
      (call $words (i32.const 0x480) (i32.const 1))
      (local.set $at (i32.add (i32.const 0x800) (i32.shl (i32.and (global.get $tasks) (i32.const 63)) (i32.const 4))))
      (global.set $tasks (i32.add (global.get $tasks) (i32.const 1)))
      (i32.store (local.get $at) (local.get $pc))
      (i32.store offset=4 (local.get $at) (call $note (local.get $x)))
      (i32.store offset=8 (local.get $at) (call $note (local.get $y)))
      (i32.store offset=12 (local.get $at) (local.get $borrow))
      (call $context-set (local.get $at)))
    (func $returning-number (call $return-number (i32.load offset=4 (call $context-get))))
    (func $returning-lend (call $return-number (i32.const 55)))
    (func $returning-text
      (call $return-text (i32.load offset=4 (call $context-get)) (i32.load offset=8 (call $context-get))))
    (func $returning-own (call $return-own (i32.load offset=4 (call $context-get))))
    (func $give-back (local $at i32)
      (local.set $at (call $context-get))
      (if (i32.load offset=12 (local.get $at))
        (then
          (i32.store offset=12 (local.get $at) (i32.const 0))
          (call $thing-drop (i32.load offset=4 (local.get $at))))))
    (func (export "callback") (param $code i32) (param $index i32) (param $payload i32) (result i32)
      (call $heard (local.get $code) (local.get $index) (local.get $payload))
      ;; cancelled: every other step obeys
      (if (i32.and (i32.eq (local.get $code) (i32.const 6)) (i32.load (call $context-get)))
        (then (call $give-back) (call $task-cancel) (return (i32.const 0))))
      (call $resume))

    ;; calls and events
    (func $started (param $s i32) (param $status i32)
      (call $put (local.get $s) (i32.shr_u (call $note (local.get $status)) (i32.const 4)))
      (if (call $get (local.get $s))
        (then (call $mark (local.get $s) (i32.const 1)))
        (else (call $result (local.get $s)))))
    (func $result (param $s i32)
      (call $words (i32.add (i32.const 0x200) (i32.shl (local.get $s) (i32.const 4))) (i32.const 2)))
    (func $cancelled (param $s i32)
      (if (i32.ne (call $note (call $cancel (call $get (local.get $s)))) (i32.const -1))
        (then (call $mark (local.get $s) (i32.const 2)) (call $result (local.get $s)))))
    (func $event (param $code i32)
      (call $heard (local.get $code) (i32.load (i32.const 16)) (i32.load (i32.const 20))))
    (func $heard (param $code i32) (param $index i32) (param $payload i32) (local $s i32)
      (call $log (i32.add (i32.const 3000) (local.get $code)))
      (call $log (local.get $index)) (call $log (local.get $payload))
      (if (i32.eqz (local.get $index)) (then (return)))
      loop $next
        (if (i32.eq (call $get (local.get $s)) (local.get $index))
          (then
            (if (i32.ne (local.get $code) (i32.const 1))
              (then (call $copied (local.get $s) (local.get $code) (local.get $payload)))
              (else
                (if (i32.ge_u (local.get $payload) (i32.const 2))
                  (then (call $mark (local.get $s) (i32.const 2)) (call $result (local.get $s))))))))
        (br_if $next (i32.lt_u (local.tee $s (i32.add (local.get $s) (i32.const 1))) (i32.const 10)))
      end
      (if (i32.ne (local.get $code) (i32.const 1)) (then (call $show))))

    ;; copies
    (func $keep-ends (param $readable i32) (param $writable i32) (param $ends i64)
      (call $put (local.get $readable) (call $note (i32.wrap_i64 (local.get $ends))))
      (call $put (local.get $writable) (call $note (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))))
    (func $spare (result i32) (i32.wrap_i64 (call $bytes-new)))
    (func $fill (param $n i32) @MAKE@)
    ;; the other end is gone, or a future is done
    (func $copied (param $s i32) (param $code i32) (param $said i32)
      (call $mark (local.get $s)
        (if (result i32) (i32.eq (local.get $said) (i32.const -1)) (then (i32.const 1))
          (else
            (i32.shl
              (if (result i32) (i32.lt_u (local.get $code) (i32.const 4))
                (then (i32.eq (i32.and (local.get $said) (i32.const 15)) (i32.const 1)))
                (else (i32.le_u (local.get $said) (i32.const 1))))
              (i32.const 2))))))
    (func $copy-read (param $s i32) (param $n i32)
      (call $copied (local.get $s) (i32.const 2)
        (call $note (call $read (call $get (local.get $s)) (i32.const 0x600) (local.get $n))))
      (call $show))
    (func $copy-write (param $s i32) (param $n i32)
      (call $fill (local.get $n))
      (call $copied (local.get $s) (i32.const 3)
        (call $note (call $write (call $get (local.get $s)) (i32.const 0x400) (local.get $n)))))
    (func $fcopy-read (param $s i32) (param i32)
      (call $copied (local.get $s) (i32.const 4)
        (call $note (call $fread (call $get (local.get $s)) (i32.const 0x600))))
      (call $show))
    (func $fcopy-write (param $s i32) (param $n i32)
      (call $fill (local.get $n))
      (call $copied (local.get $s) (i32.const 5)
        (call $note (call $fwrite (call $get (local.get $s)) (i32.const 0x400)))))

    ;; what others give and take
    (func (export "take") (param i32) (call $begin) (call $put (i32.const 0) (call $note (local.get 0))))
    (func (export "give") (result i32)
      (call $begin)
      (call $keep-ends (i32.const 1) (i32.const 2) (call $new))
      (call $get (i32.const 1)) (call $clear (i32.const 1)))
    (func (export "ftake") (param i32) (call $begin) (call $put (i32.const 4) (call $note (local.get 0))))
    (func (export "fgive") (result i32)
      (call $begin)
      (call $keep-ends (i32.const 4) (i32.const 5) (call $fnew))
      (call $get (i32.const 4)) (call $clear (i32.const 4)))"""
