;; Ends of streams and futures that the host shares: each stands for an end of the engine's.
;;
;; Such an end is like any other (`streams.wat`), with the engine's handle at +40. Its buffers go to the engine as they
;; are, and what the engine says of them is delivered like what the other side would. The engine's end moves between
;; instances with ours, and leaves with it to the host.
;;
;; A stream or future that was made inside, and whose readable end goes to the host, becomes the engine's at that moment
;; (`promote`): the writable end stays, with the engine's behind it, and a write that was pending is issued again.
;;
;;   +40 the engine's handle, 0 if both ends are inside    +44 a buffer in the heap (`heap.wat`), if elements must be
;;                                                             translated, or 0
(module
  (import "handles" "memory" (memory 4))
  (import "handles" "rep" (func $row.get (param i32 i32 i32) (result i32)))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "free-cell" (func $cell.free (param i32)))
  (import "waitables" "notify" (func $notify (param i32 i32)))
  (import "streams" "put" (func $put (param i32 i32 i32) (result i32)))
  (import "outer" "find" (func $find (param i32) (result i32)))
  (import "outer" "watch" (func $watch (param i32 i32)))
  (import "outer" "unwatch" (func $unwatch (param i32)))
  (import "emitted" "element translation" (func $translate (param i32 i32)))
  (import "trap" "end is not copying" (func $trap_not_copying))
  (import "trap" "waitable in synchronous use" (func $trap_sync_use))

  ;; --- copying ---------------------------------------------------------------------------------------------------

  ;; A read or write begins; its buffer is the engine's affair.
  (func (export "began") (param $end i32)
    (i32.store offset=24 (local.get $end) (i32.const 1))
    (i64.store offset=28 align=4 (local.get $end) (i64.const 0)))

  ;; What the engine's built-in returned: it is over, or the engine will tell.
  (func (export "copied") (param $end i32) (param $code i32) (param $result i32)
    (if (i32.eq (local.get $result) (i32.const -1))
      (then (call $watch (i32.load offset=40 (local.get $end)) (local.get $end)))
      (else (call $over (local.get $end) (local.get $code) (local.get $result)))))

  ;; The engine tells.
  (func (export "event") (param $code i32) (param $handle i32) (param $result i32)
    (local $end i32)
    (local.set $end (call $find (local.get $handle)))
    (call $unwatch (local.get $handle))
    (call $over (local.get $end) (local.get $code) (local.get $result)))

  (func $over (param $end i32) (param $code i32) (param $result i32)
    (i32.store offset=28 (local.get $end) (i32.and (local.get $result) (i32.const 15)))
    (i32.store offset=32 (local.get $end) (i32.shr_u (local.get $result) (i32.const 4)))
    (if (i32.load offset=44 (local.get $end)) (then (call $translate (local.get $end) (local.get $code))))
    (call $notify (local.get $end) (local.get $code)))

  ;; canon {stream,future}.cancel-{read,write}, up to the engine's own: its handle, or 0 if there is nothing to cancel.
  (func (export "cancelling") (param $end i32) (param $code i32) (param $async i32) (result i32)
    (if (i32.ne (i32.load offset=24 (local.get $end)) (i32.const 1)) (then (call $trap_not_copying) unreachable))
    (if (i32.eqz (local.get $async))
      (then (if (i32.load (local.get $end)) (then (call $trap_sync_use) unreachable))))
    (i32.store offset=24 (local.get $end) (i32.const 2))
    (if (i32.load offset=16 (local.get $end))
      (then
        (if (i32.and (i32.lt_u (local.get $code) (i32.const 4)) (i32.eqz (i32.load offset=28 (local.get $end))))
          (then (i32.store offset=28 (local.get $end) (i32.const 2))))
        (return (i32.const 0))))
    (call $unwatch (i32.load offset=40 (local.get $end)))
    (i32.load offset=40 (local.get $end)))

  ;; --- moving ----------------------------------------------------------------------------------------------------

  ;; The end that a handle names, which is about to be dropped: the engine's handle behind it.
  (func (export "behind") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (i32.load offset=40 (call $row.get (local.get $table) (local.get $type) (local.get $index))))

  ;; A readable end comes from the host; its new handle.
  (func (export "arrives") (param $table i32) (param $type i32) (param $handle i32) (result i32)
    (local $cell i32)
    (local.set $cell (call $cell.new))
    (i32.store offset=40 (local.get $cell) (local.get $handle))
    (i32.store offset=84 (local.get $cell) (i32.const 1))
    (call $put (local.get $table) (local.get $type) (local.get $cell)))

  ;; A readable end leaves for the host; its handle is gone already. The engine's, or 0 if both ends are inside.
  (func (export "leaves") (param $end i32) (result i32)
    (local $handle i32)
    (local.set $handle (i32.load offset=40 (local.get $end)))
    (if (local.get $handle) (then (call $gone (local.get $end))))
    local.get $handle)

  (func $gone (param $end i32)
    (i32.store offset=36 (local.get $end) (i32.const 1))
    (if (i32.load offset=84 (local.get $end)) (then (call $cell.free (local.get $end)))))

  ;; The same where both ends are inside: the engine made `$ends`. What is to be done with the writable one: 0 nothing,
  ;; 1 it was dropped, 2 the write that is pending must be issued again.
  (func (export "promote") (param $end i32) (param $ends i64) (result i32)
    (local $writable i32) (local $next i32)
    (local.set $writable (i32.add (local.get $end) (i32.const 48)))
    (i32.store offset=40 (local.get $writable)
      (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
    (if (i32.load offset=36 (local.get $writable))
      (then (local.set $next (i32.const 1)))
      (else
        (if (i32.load offset=100 (local.get $end))
          (then
            (i32.store offset=100 (local.get $end) (i32.const 0))
            ;; One that was partly used is over: its side is about to hear of it.
            (if (i32.eqz (i32.load offset=16 (local.get $writable))) (then (local.set $next (i32.const 2))))))))
    (call $gone (local.get $end))
    local.get $next))
