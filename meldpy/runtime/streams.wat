;; Streams and futures between fused instances: both ends of one in a cell (`waitables.wat`).
;;
;; The spec's "Stream State" and "Future State". Copying is the emitted code's, since it depends on the element type and on
;; the memories of both sides: an operation *offers* its buffer, is told how many elements to copy from or to the one
;; that the other side left pending, copies them, says so (`copied`), and *finishes*.
;;
;;   +0   the readable end, 48 bytes        +96  the other end was dropped
;;   +48  the writable end, 48 bytes        +100 the end that left its buffer pending, or 0
;;                                          +104 that buffer: its address now, as 64 bits
;;   an end:                                +112 how many elements are left of it
;;   +0  a waitable; states 0 IDLE          +116 which canonical options it was offered with
;;       1 COPYING 2 CANCELLING 3 DONE,     +120 by which instance
;;       8 more: somebody waits in a call   +124 the size of an element there
;;   +28 0 COMPLETED 1 DROPPED 2 CANCELLED
;;   +32 elements copied
;;   +36 the handle is gone
;;
;; `$code` is the event code of the end at hand: 2 STREAM_READ 3 STREAM_WRITE 4 FUTURE_READ 5 FUTURE_WRITE. Its lowest bit
;; says which of the two ends it is.
;;
;; A buffer that was partly used stays pending until its own side hears of it, so that the other side can go on.
;;
;; An operation that is over at once says so itself: its end has an event only from `offer` or `copied` to `finish`, which
;; no set is told of.
(module
  (import "handles" "memory" (memory 4))
  (import "handles" "new-own" (func $row.new (param i32 i32 i32) (result i32)))
  (import "handles" "take-own" (func $row.take (param i32 i32 i32) (result i32)))
  (import "handles" "rep" (func $row.get (param i32 i32 i32) (result i32)))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "free-cell" (func $cell.free (param i32)))
  (import "waitables" "order" (func $order (param i32) (result i32)))
  (import "waitables" "notify" (func $notify (param i32 i32)))
  (import "waitables" "forget" (func $forget (param i32)))
  (import "waitables" "join" (func $join (param i32 i32)))
  (import "emitted" "block" (func $block (param i32)))
  (import "trap" "end is busy" (func $trap_busy))
  (import "trap" "end is done" (func $trap_done))
  (import "trap" "end is not copying" (func $trap_not_copying))
  (import "trap" "waitable in synchronous use" (func $trap_sync_use))
  (import "trap" "end is in a waitable set" (func $trap_in_set))
  (import "trap" "copy inside one instance" (func $trap_same))
  (import "trap" "future dropped before it was written" (func $trap_unwritten))

  ;; --- ends ------------------------------------------------------------------------------------------------------

  ;; canon {stream,future}.new: the handle of the readable end, and that of the writable end in the upper half.
  (func $new (export "new") (param $table i32) (param $readable i32) (param $writable i32) (result i64)
    (local $cell i32) (local $index i32)
    (local.set $cell (call $cell.new))
    (local.set $index (call $put (local.get $table) (local.get $readable) (local.get $cell)))
    (i64.or
      (i64.extend_i32_u (local.get $index))
      (i64.shl
        (i64.extend_i32_u
          (call $put
            (local.get $table)
            (local.get $writable)
            (i32.add (local.get $cell) (i32.const 48))))
        (i64.const 32))))

  ;; lower_stream, lower_future: a handle for an end.
  (func $put (export "put") (param $table i32) (param $type i32) (param $end i32) (result i32)
    (i32.store offset=12 (local.get $end) (call $order (i32.const 2)))
    (call $row.new (local.get $table) (local.get $type) (local.get $end)))

  ;; lift_async_value: the end goes, its handle is gone.
  (func $take (export "take") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $end i32)
    (local.set $end (call $row.take (local.get $table) (local.get $type) (local.get $index)))
    (call $idle (local.get $end))
    (if (i32.load (local.get $end)) (then (call $trap_in_set) unreachable))
    local.get $end)

  (func $idle (param $end i32)
    (local $state i32)
    (local.set $state (i32.load offset=24 (local.get $end)))
    (if (local.get $state)
      (then
        (if (i32.eq (local.get $state) (i32.const 3)) (then (call $trap_done)))
        (call $trap_busy)
        unreachable)))

  ;; The cell of an end.
  (func $shared (param $end i32) (param $code i32) (result i32)
    (i32.sub (local.get $end) (i32.mul (i32.and (local.get $code) (i32.const 1)) (i32.const 48))))

  ;; canon {stream,future}.drop-{readable,writable}.
  (func $drop (export "drop") (param $table i32) (param $type i32) (param $index i32) (param $code i32)
    (local $end i32) (local $shared i32) (local $state i32) (local $other i32)
    (local.set $end (call $row.take (local.get $table) (local.get $type) (local.get $index)))
    (local.set $state (i32.load offset=24 (local.get $end)))
    (if (i32.and (i32.ne (local.get $state) (i32.const 0)) (i32.ne (local.get $state) (i32.const 3)))
      (then (call $trap_busy) unreachable))
    (if (i32.and (i32.eq (local.get $code) (i32.const 5)) (i32.ne (local.get $state) (i32.const 3)))
      (then (call $trap_unwritten) unreachable))
    (local.set $shared (call $shared (local.get $end) (local.get $code)))
    (if (i32.eqz (i32.load offset=96 (local.get $shared)))
      (then
        (i32.store offset=96 (local.get $shared) (i32.const 1))
        (local.set $other (i32.load offset=100 (local.get $shared)))
        (if (local.get $other)
          (then
            (call $settle
              (local.get $shared)
              (i32.xor (local.get $code) (i32.const 1))
              (i32.const 1))))))
    (call $join (local.get $end) (i32.const 0))
    (i32.store offset=36 (local.get $end) (i32.const 1))
    (if (i32.and (i32.load offset=36 (local.get $shared)) (i32.load offset=84 (local.get $shared)))
      (then (call $cell.free (local.get $shared)))))

  ;; reset_and_notify_pending.
  (func $settle (param $shared i32) (param $code i32) (param $result i32)
    (local $end i32)
    (local.set $end (i32.load offset=100 (local.get $shared)))
    (i32.store offset=100 (local.get $shared) (i32.const 0))
    (i32.store offset=28 (local.get $end) (local.get $result))
    (call $notify (local.get $end) (local.get $code)))

  ;; --- copying ---------------------------------------------------------------------------------------------------

  ;; The end that is about to copy.
  (func $begin (export "begin") (param $table i32) (param $type i32) (param $index i32) (param $sync i32) (result i32)
    (local $end i32)
    (local.set $end (call $row.get (local.get $table) (local.get $type) (local.get $index)))
    (call $idle (local.get $end))
    (if (local.get $sync)
      (then (if (i32.load (local.get $end)) (then (call $trap_sync_use) unreachable))))
    (i32.store offset=20 (local.get $end) (local.get $index))
    local.get $end)

  (func $pend (param $shared i32) (param $end i32) (param $at i64) (param $n i32)
    (param $options i32) (param $instance i32) (param $size i32)
    (i32.store offset=100 (local.get $shared) (local.get $end))
    (i64.store offset=104 (local.get $shared) (local.get $at))
    (i32.store offset=112 (local.get $shared) (local.get $n))
    (i32.store offset=116 (local.get $shared) (local.get $options))
    (i32.store offset=120 (local.get $shared) (local.get $instance))
    (i32.store offset=124 (local.get $shared) (local.get $size)))

  ;; SharedStreamImpl.{read,write}, and those of futures (with one element), up to the copy: how many elements to copy.
  ;; `$instance` is 0 where both ends may be in one instance.
  (func $offer (export "offer") (param $end i32) (param $code i32) (param $at i64) (param $n i32)
    (param $options i32) (param $instance i32) (param $size i32) (result i32)
    (local $shared i32) (local $pending i32) (local $left i32)
    (i32.store offset=24 (local.get $end) (i32.const 1))
    (i64.store offset=28 align=4 (local.get $end) (i64.const 0))
    (local.set $shared (call $shared (local.get $end) (local.get $code)))
    (if (i32.load offset=96 (local.get $shared))
      (then
        (i32.store offset=28 (local.get $end) (i32.const 1))
        (i32.store offset=16 (local.get $end) (local.get $code))
        (return (i32.const 0))))
    (local.set $pending (i32.load offset=100 (local.get $shared)))
    (if (local.get $pending)
      (then
        (if (local.get $instance)
          (then
            (if (i32.eq (local.get $instance) (i32.load offset=120 (local.get $shared)))
              (then (call $trap_same) unreachable))))
        (local.set $left (i32.load offset=112 (local.get $shared)))
        (if (local.get $left)
          (then
            (if (local.get $n)
              (then
                (return
                  (select
                    (local.get $n)
                    (local.get $left)
                    (i32.lt_u (local.get $n) (local.get $left))))))
            (i32.store offset=16 (local.get $end) (local.get $code))
            (return (i32.const 0))))
        ;; Two buffers of no length: a write completes, a read takes the writer's place.
        (if
          (i32.and
            (i32.and (local.get $code) (i32.const 1))
            (i32.eqz (i32.or (local.get $n) (i32.load offset=32 (local.get $pending)))))
          (then
            (i32.store offset=16 (local.get $end) (local.get $code))
            (return (i32.const 0))))
        (call $settle (local.get $shared) (i32.xor (local.get $code) (i32.const 1)) (i32.const 0))))
    (call $pend
      (local.get $shared)
      (local.get $end)
      (local.get $at)
      (local.get $n)
      (local.get $options)
      (local.get $instance)
      (local.get $size))
    i32.const 0)

  ;; The address in the pending buffer where the copy starts.
  (func $pending_at (export "pending-at") (param $end i32) (param $code i32) (result i64)
    (i64.load offset=104 (call $shared (local.get $end) (local.get $code))))

  ;; The options that it was offered with.
  (func $pending_options (export "pending-options") (param $end i32) (param $code i32) (result i32)
    (i32.load offset=116 (call $shared (local.get $end) (local.get $code))))

  ;; `$n` elements were copied. Nothing is left of a future.
  (func $copied (export "copied") (param $end i32) (param $code i32) (param $n i32)
    (local $shared i32) (local $pending i32)
    (local.set $shared (call $shared (local.get $end) (local.get $code)))
    (local.set $pending (i32.load offset=100 (local.get $shared)))
    (i32.store offset=32 (local.get $end) (local.get $n))
    (i32.store offset=32 (local.get $pending) (i32.add (i32.load offset=32 (local.get $pending)) (local.get $n)))
    (i32.store offset=112 (local.get $shared) (i32.sub (i32.load offset=112 (local.get $shared)) (local.get $n)))
    (i64.store offset=104 (local.get $shared)
      (i64.add
        (i64.load offset=104 (local.get $shared))
        (i64.mul (i64.extend_i32_u (local.get $n)) (i64.load32_u offset=124 (local.get $shared)))))
    (if (i32.ge_u (local.get $code) (i32.const 4)) (then (i32.store offset=100 (local.get $shared) (i32.const 0))))
    (call $notify (local.get $pending) (i32.xor (local.get $code) (i32.const 1)))
    (i32.store offset=16 (local.get $end) (local.get $code)))

  ;; The result of an operation, or -1 BLOCKED.
  (func $finish (export "finish") (param $end i32) (result i32)
    (if (i32.eqz (i32.load offset=16 (local.get $end))) (then (return (i32.const -1))))
    (call $result (local.get $end)))

  ;; The same, waited for.
  (func $finish_sync (export "finish-sync") (param $end i32) (result i32)
    (if (i32.eqz (i32.load offset=16 (local.get $end)))
      (then
        (i32.store offset=24 (local.get $end) (i32.or (i32.load offset=24 (local.get $end)) (i32.const 8)))
        (call $block (local.get $end))))
    (call $result (local.get $end)))

  ;; Waitable.get_pending_event, without its set: what an operation itself says, at once or after it was waited for.
  (func $result (param $end i32) (result i32)
    (local $code i32)
    (local.set $code (i32.load offset=16 (local.get $end)))
    (call $forget (local.get $end))
    (call $payload (local.get $code) (local.get $end)))

  ;; The payload of an end's event; its buffer is its own again.
  (func $payload (export "payload") (param $code i32) (param $end i32) (result i32)
    (local $shared i32) (local $result i32)
    (local.set $shared (call $shared (local.get $end) (local.get $code)))
    (local.set $result (i32.load offset=28 (local.get $end)))
    (if (i32.eq (i32.load offset=100 (local.get $shared)) (local.get $end))
      (then (i32.store offset=100 (local.get $shared) (i32.const 0))))
    (if (i32.lt_u (local.get $code) (i32.const 4))
      (then
        (i32.store offset=24 (local.get $end)
          (select (i32.const 3) (i32.const 0) (i32.eq (local.get $result) (i32.const 1))))
        (return (i32.or (local.get $result) (i32.shl (i32.load offset=32 (local.get $end)) (i32.const 4))))))
    (i32.store offset=24 (local.get $end)
      (select (i32.const 3) (i32.const 0) (i32.le_u (local.get $result) (i32.const 1))))
    local.get $result)

  ;; canon {stream,future}.cancel-{read,write}. Between fused instances it is done at once. A stream's buffer that was
  ;; partly used is given back as cancelled, with what was copied (the spec's tests and the engine agree on that).
  (func $cancel (export "cancel")
    (param $table i32) (param $type i32) (param $index i32) (param $code i32) (param $async i32) (result i32)
    (local $end i32)
    (local.set $end (call $row.get (local.get $table) (local.get $type) (local.get $index)))
    (if (i32.ne (i32.load offset=24 (local.get $end)) (i32.const 1)) (then (call $trap_not_copying) unreachable))
    (if (i32.eqz (local.get $async))
      (then (if (i32.load (local.get $end)) (then (call $trap_sync_use) unreachable))))
    (i32.store offset=24 (local.get $end) (i32.const 2))
    (if (i32.eqz (i32.load offset=16 (local.get $end)))
      (then
        (call $settle (call $shared (local.get $end) (local.get $code)) (local.get $code) (i32.const 2)))
      (else
        (if (i32.and (i32.lt_u (local.get $code) (i32.const 4)) (i32.eqz (i32.load offset=28 (local.get $end))))
          (then (i32.store offset=28 (local.get $end) (i32.const 2))))))
    (call $result (local.get $end))))
