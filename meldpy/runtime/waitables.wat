;; Waitables: what tasks of a fused output wait for, in the memory of the handle tables.
;;
;; The spec's "Waitable State" and the queue of what is ready to run. Tasks (`tasks.wat`) and stream and future ends
;; (`streams.wat`) are waitables; this file knows only the part that all of them share.
;;
;; **Cells.** State that outlives a call is in cells of 128 bytes with a free list, beside the arrays of rows. A row of a
;; handle table names a cell (see the table in `handles.wat`); nothing else in a row is used.
;;
;; **A waitable** is 32 bytes inside a cell:
;;
;;   +0  the set that it is in, or 0      +16 the code of its pending event, or 0
;;   +4  link: next with an event         +20 its handle's index
;;   +8  link: previous                   +24 its state: a subtask's, or whether an end copies
;;   +12 order of creation                +28 a subtask's table; an end's result
;;
;; **A set** is a cell of its own:
;;
;;   +0  waitables in it                  +8  tasks that wait for it in their event loop: a ring
;;   +4  waitables with an event: a ring  +12 tasks that wait for it, on their stack or in a loop
;;
;; The ring of waitables with an event is kept in the order that the engine has: by kind, then by age (host subtasks,
;; guest subtasks, ends). The spec allows any.
;;
;; **Rings** are doubly linked, through two words (next, previous) that are zeros while they are in no ring. A ring is
;; named by the address of the word that holds its first link, 0 if it is empty.
;;
;; **What is ready** is in two rings: tasks that an event is waiting for, first come first served, and behind them those
;; that yielded. Making ready is all that happens here: guest code runs only in `tasks.wat`, from the pump.
(module
  (import "handles" "memory" (memory 4))
  (import "handles" "allocate" (func $allocate (param i64) (result i32)))
  (import "trap" "unknown handle index" (func $trap_unknown))
  (import "trap" "handle of the wrong resource type" (func $trap_type))
  (import "trap" "waitable set not empty" (func $trap_not_empty))
  (import "trap" "waitable set has waiters" (func $trap_waiters))
  (import "trap" "waitable in synchronous use" (func $trap_sync_use))
  (import "emitted" "payload" (func $payload (param i32 i32) (result i32)))

  ;; In the first row of the memory, behind the heap's size:
  ;; 0x04  ready: the ring of tasks with an event    0x08  ready: the ring of those that yielded    0x0C  free cells

  (global $created (mut i32) (i32.const 0))

  ;; --- cells -----------------------------------------------------------------------------------------------------

  ;; A cell of zeros.
  (func $cell.new (export "new-cell") (result i32)
    (local $cell i32)
    (local.set $cell (i32.load offset=0x0C (i32.const 0)))
    (if (i32.eqz (local.get $cell)) (then (return (call $cell.more))))
    (i32.store offset=0x0C (i32.const 0) (i32.load (local.get $cell)))
    (i64.store (local.get $cell) (i64.const 0))
    (i64.store offset=8 (local.get $cell) (i64.const 0))
    (i64.store offset=16 (local.get $cell) (i64.const 0))
    (i64.store offset=24 (local.get $cell) (i64.const 0))
    (i64.store offset=32 (local.get $cell) (i64.const 0))
    (i64.store offset=40 (local.get $cell) (i64.const 0))
    (i64.store offset=48 (local.get $cell) (i64.const 0))
    (i64.store offset=56 (local.get $cell) (i64.const 0))
    (i64.store offset=64 (local.get $cell) (i64.const 0))
    (i64.store offset=72 (local.get $cell) (i64.const 0))
    (i64.store offset=80 (local.get $cell) (i64.const 0))
    (i64.store offset=88 (local.get $cell) (i64.const 0))
    (i64.store offset=96 (local.get $cell) (i64.const 0))
    (i64.store offset=104 (local.get $cell) (i64.const 0))
    (i64.store offset=112 (local.get $cell) (i64.const 0))
    (i64.store offset=120 (local.get $cell) (i64.const 0))
    local.get $cell)

  ;; Sixteen cells more, of zeros; the first is the caller's.
  (func $cell.more (result i32)
    (local $first i32) (local $cell i32)
    (local.set $first (call $allocate (i64.const 2048)))
    (local.set $cell (i32.add (local.get $first) (i32.const 1920)))
    loop $next
      (call $cell.free (local.get $cell))
      (local.set $cell (i32.sub (local.get $cell) (i32.const 128)))
      (br_if $next (i32.gt_u (local.get $cell) (local.get $first)))
    end
    local.get $first)

  (func $cell.free (export "free-cell") (param $cell i32)
    (i32.store (local.get $cell) (i32.load offset=0x0C (i32.const 0)))
    (i32.store offset=0x0C (i32.const 0) (local.get $cell)))

  ;; The order of a new waitable among those of its kind: 0 host subtask, 1 guest subtask, 2 end.
  (func $order (export "order") (param $kind i32) (result i32)
    (global.set $created (i32.add (global.get $created) (i32.const 1)))
    (i32.or
      (i32.shl (local.get $kind) (i32.const 30))
      (i32.and (global.get $created) (i32.const 0x3FFF_FFFF))))

  ;; --- rings -----------------------------------------------------------------------------------------------------

  ;; Puts a link behind the last one.
  (func $ring.push (export "push") (param $ring i32) (param $link i32)
    (local $first i32)
    (local.set $first (i32.load (local.get $ring)))
    (if (i32.eqz (local.get $first))
      (then
        (i32.store (local.get $ring) (local.get $link))
        (local.set $first (local.get $link))
        (i32.store offset=4 (local.get $link) (local.get $link))))
    (call $ring.before (local.get $first) (local.get $link)))

  ;; Links in front of one that is in a ring (or is the link itself, made a ring by its previous).
  (func $ring.before (param $at i32) (param $link i32)
    (local $previous i32)
    (local.set $previous (i32.load offset=4 (local.get $at)))
    (i32.store (local.get $previous) (local.get $link))
    (i32.store offset=4 (local.get $link) (local.get $previous))
    (i32.store (local.get $link) (local.get $at))
    (i32.store offset=4 (local.get $at) (local.get $link)))

  (func $ring.remove (export "remove") (param $ring i32) (param $link i32)
    (local $next i32) (local $previous i32)
    (local.set $next (i32.load (local.get $link)))
    (local.set $previous (i32.load offset=4 (local.get $link)))
    (i64.store (local.get $link) (i64.const 0))
    (if (i32.eq (local.get $next) (local.get $link))
      (then (i32.store (local.get $ring) (i32.const 0)) (return)))
    (i32.store (local.get $previous) (local.get $next))
    (i32.store offset=4 (local.get $next) (local.get $previous))
    (if (i32.eq (i32.load (local.get $ring)) (local.get $link))
      (then (i32.store (local.get $ring) (local.get $next)))))

  ;; The first link of a ring, removed; 0 if there is none.
  (func $ring.pop (export "pop") (param $ring i32) (result i32)
    (local $link i32)
    (local.set $link (i32.load (local.get $ring)))
    (if (local.get $link) (then (call $ring.remove (local.get $ring) (local.get $link))))
    local.get $link)

  ;; --- events ----------------------------------------------------------------------------------------------------

  ;; Waitable.set_pending_event: what is delivered is computed when it is, from the waitable's state.
  (func $notify (export "notify") (param $waitable i32) (param $code i32)
    (local $known i32)
    (local.set $known (i32.load offset=16 (local.get $waitable)))
    (i32.store offset=16 (local.get $waitable) (local.get $code))
    (if (i32.eqz (local.get $known)) (then (call $ready_in_set (local.get $waitable)))))

  ;; A waitable with an event takes its place in its set, and one task that waits for the set is ready to run.
  (func $ready_in_set (param $waitable i32)
    (local $set i32) (local $link i32) (local $at i32) (local $first i32)
    (local.set $set (i32.load (local.get $waitable)))
    (if (i32.eqz (local.get $set)) (then (return)))
    (local.set $link (i32.add (local.get $waitable) (i32.const 4)))
    (local.set $first (i32.load offset=4 (local.get $set)))
    (if (i32.eqz (local.get $first))
      (then (call $ring.push (i32.add (local.get $set) (i32.const 4)) (local.get $link)))
      (else
        ;; In front of the first that is younger; most often there is none.
        (local.set $at (local.get $first))
        loop $next
          (if
            (i32.lt_u
              (i32.load offset=8 (local.get $link))
              (i32.load offset=8 (i32.load offset=4 (local.get $at))))
            (then
              (local.set $at (i32.load offset=4 (local.get $at)))
              (br_if $next (i32.ne (local.get $at) (local.get $first)))
              (i32.store offset=4 (local.get $set) (local.get $link))))
        end
        (call $ring.before (local.get $at) (local.get $link))))
    (call $wake (local.get $set)))

  ;; One task that waits for the set in its event loop is ready.
  (func $wake (param $set i32)
    (local $link i32)
    (local.set $link (call $ring.pop (i32.add (local.get $set) (i32.const 8))))
    (if (local.get $link)
      (then
        ;; The task's parking state: 56 is where its link is, 48 where that.
        (i32.store (i32.sub (local.get $link) (i32.const 8)) (i32.const 4))
        (call $ring.push (i32.const 0x04) (local.get $link)))))

  ;; Waitable.get_pending_event: code, index and payload. There is one.
  (func $deliver (export "deliver") (param $waitable i32) (result i32 i32 i32)
    (local $code i32)
    (local.set $code (i32.load offset=16 (local.get $waitable)))
    (call $forget (local.get $waitable))
    local.get $code
    (i32.load offset=20 (local.get $waitable))
    (call $payload (local.get $code) (local.get $waitable)))

  (func $forget (export "forget") (param $waitable i32)
    (i32.store offset=16 (local.get $waitable) (i32.const 0))
    (if (i32.load offset=4 (local.get $waitable))
      (then
        (call $ring.remove
          (i32.add (i32.load (local.get $waitable)) (i32.const 4))
          (i32.add (local.get $waitable) (i32.const 4))))))

  ;; --- sets ------------------------------------------------------------------------------------------------------

  (func $set.has_event (export "has-event") (param $set i32) (result i32)
    (i32.load offset=4 (local.get $set)))

  ;; WaitableSet.get_pending_event, if there is one: code, index and payload. Otherwise zeros.
  (func $set.take (export "take-event") (param $set i32) (result i32 i32 i32)
    (local $link i32)
    (local.set $link (i32.load offset=4 (local.get $set)))
    (if (i32.eqz (local.get $link)) (then (return (i32.const 0) (i32.const 0) (i32.const 0))))
    (call $deliver (i32.sub (local.get $link) (i32.const 4))))

  ;; WaitableSet.drop; the row is gone already.
  (func $set.drop (export "drop-set") (param $set i32)
    (if (i32.load (local.get $set)) (then (call $trap_not_empty) unreachable))
    (if (i32.load offset=12 (local.get $set)) (then (call $trap_waiters) unreachable))
    (call $cell.free (local.get $set)))

  ;; Waitable.join; 0 for no set.
  (func $join (export "join") (param $waitable i32) (param $set i32)
    (local $old i32) (local $code i32)
    (local.set $old (i32.load (local.get $waitable)))
    (local.set $code (i32.load offset=16 (local.get $waitable)))
    (if (local.get $old)
      (then
        (call $forget (local.get $waitable))
        (i32.store offset=16 (local.get $waitable) (local.get $code))
        (i32.store (local.get $old) (i32.sub (i32.load (local.get $old)) (i32.const 1)))))
    (i32.store (local.get $waitable) (local.get $set))
    (if (local.get $set)
      (then
        (i32.store (local.get $set) (i32.add (i32.load (local.get $set)) (i32.const 1)))
        (if (local.get $code) (then (call $ready_in_set (local.get $waitable)))))))

  ;; canon waitable.join: the waitable that a handle names. Rows of kind 2 are subtasks, 4 to 7 ends. Nobody may be
  ;; waiting for it in a call: flag 256 of a subtask, a state above 7 of an end.
  (func $waitable (export "waitable") (param $table i32) (param $index i32) (result i32)
    (local $row i32) (local $kind i32) (local $waitable i32)
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (local.set $kind (i32.and (i32.load (local.get $row)) (i32.const 15)))
    (if (i32.eqz (local.get $kind)) (then (call $trap_unknown) unreachable))
    ;; Not 1 (a resource), not 3 (a set).
    (if (i32.and (i32.shr_u (i32.const 0xA) (local.get $kind)) (i32.const 1))
      (then (call $trap_type) unreachable))
    (local.set $waitable (i32.load offset=4 (local.get $row)))
    (if
      (if (result i32) (i32.eq (local.get $kind) (i32.const 2))
        (then (i32.and (i32.load offset=36 (local.get $waitable)) (i32.const 256)))
        (else (i32.gt_u (i32.load offset=24 (local.get $waitable)) (i32.const 7))))
      (then (call $trap_sync_use) unreachable))
    local.get $waitable))
