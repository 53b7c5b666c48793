;; Calls of host functions that take their time: subtasks of the engine's, each behind a cell of ours.
;;
;; The cell is a task's (`tasks.wat`) as its caller sees it: its state, its place in the caller's table and sets, its
;; lenders. It has no callback, and never parks. What differs:
;;
;;   +32  which host call, if its result must be taken from the heap (`heap.wat`), or 0
;;   +36  flag 512: it is the host's
;;   +88  where the result is in the heap
;;   +96  the engine's handle, until the call is resolved
;;
;; The engine's handle goes when we hear that the call is resolved, the cell when the caller drops its own.
(module
  (import "handles" "memory" (memory 4))
  (import "handles" "new-own" (func $row.new (param i32 i32 i32) (result i32)))
  (import "waitables" "new-cell" (func $cell.new (result i32)))
  (import "waitables" "order" (func $order (param i32) (result i32)))
  (import "waitables" "notify" (func $notify (param i32 i32)))
  (import "waitables" "deliver" (func $deliver (param i32) (result i32 i32 i32)))
  (import "outer" "find" (func $find (param i32) (result i32)))
  (import "outer" "watch" (func $watch (param i32 i32)))
  (import "outer" "unwatch" (func $unwatch (param i32)))
  (import "engine" "subtask.drop" (func $engine.drop (param i32)))
  (import "emitted" "heard" (func $heard (param i32 i32)))
  (import "trap" "subtask already resolved" (func $trap_delivered))
  (import "trap" "subtask cancelled twice" (func $trap_cancelled_twice))
  (import "trap" "waitable in synchronous use" (func $trap_sync_use))

  ;; A call that was not over when the engine's lower returned `$status`.
  (func (export "started") (param $status i32) (param $call i32) (result i32)
    (local $task i32) (local $handle i32)
    (local.set $task (call $cell.new))
    (local.set $handle (i32.shr_u (local.get $status) (i32.const 4)))
    (i32.store offset=12 (local.get $task) (call $order (i32.const 0)))
    (i32.store offset=24 (local.get $task) (i32.and (local.get $status) (i32.const 15)))
    (i32.store offset=32 (local.get $task) (local.get $call))
    (i32.store offset=36 (local.get $task) (i32.const 515))
    (i32.store offset=96 (local.get $task) (local.get $handle))
    (call $watch (local.get $handle) (local.get $task))
    local.get $task)

  ;; What the caller's async lower returns.
  (func (export "status") (param $task i32) (param $table i32) (result i32)
    (local $index i32)
    (local.set $index (call $row.new (local.get $table) (i32.const 2) (local.get $task)))
    (i32.store offset=20 (local.get $task) (local.get $index))
    (i32.store offset=28 (local.get $task) (local.get $table))
    (i32.or (i32.shl (local.get $index) (i32.const 4)) (i32.load offset=24 (local.get $task))))

  ;; The engine says how far a call is.
  (func (export "event") (param $handle i32) (param $state i32)
    (local $task i32)
    (local.set $task (call $find (local.get $handle)))
    (if (i32.ge_u (local.get $state) (i32.const 2)) (then (call $unwatch (local.get $handle))))
    (call $reaches (local.get $task) (local.get $state)))

  (func $reaches (param $task i32) (param $state i32)
    (local $before i32)
    (local.set $before (i32.load offset=24 (local.get $task)))
    (i32.store offset=24 (local.get $task) (local.get $state))
    (if (i32.ge_u (local.get $state) (i32.const 2))
      (then
        (call $engine.drop (i32.load offset=96 (local.get $task)))
        (i32.store offset=36 (local.get $task)
          (i32.or
            (i32.and (i32.load offset=36 (local.get $task)) (i32.const -2))
            (i32.const 32)))))
    (if (i32.load offset=32 (local.get $task)) (then (call $heard (local.get $task) (local.get $before))))
    (call $notify (local.get $task) (i32.const 1)))

  ;; canon subtask.cancel, up to the engine's own: its handle, or 0 if the call is resolved.
  (func (export "cancelling") (param $task i32) (result i32)
    (local $flags i32)
    (local.set $flags (i32.load offset=36 (local.get $task)))
    (if (i32.and (local.get $flags) (i32.const 64)) (then (call $trap_delivered) unreachable))
    (if (i32.and (local.get $flags) (i32.const 4)) (then (call $trap_cancelled_twice) unreachable))
    (if (i32.load (local.get $task)) (then (call $trap_sync_use) unreachable))
    (if (i32.and (local.get $flags) (i32.const 32)) (then (return (i32.const 0))))
    (i32.store offset=36 (local.get $task) (i32.or (local.get $flags) (i32.const 4)))
    (call $unwatch (i32.load offset=96 (local.get $task)))
    (i32.load offset=96 (local.get $task)))

  ;; What the engine's own returned.
  (func (export "cancelled") (param $task i32) (param $state i32)
    (if (i32.eq (local.get $state) (i32.const -1))
      (then (call $watch (i32.load offset=96 (local.get $task)) (local.get $task)))
      (else (call $reaches (local.get $task) (local.get $state)))))

  ;; Its end: the state, or -1 if it is not resolved.
  (func (export "state-after-cancel") (param $task i32) (result i32)
    (local $state i32)
    (if (i32.lt_u (i32.load offset=24 (local.get $task)) (i32.const 2)) (then (return (i32.const -1))))
    (call $deliver (local.get $task))
    (local.set $state)
    drop
    drop
    local.get $state))
